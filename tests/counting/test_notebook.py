"""A folder and a slider in a notebook: they count as a Counter does."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from cellcount.counting.counter import Counter
from cellcount.counting.notebook.explorer import _uploaded
from cellcount.errors import CellCountError
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[:2]


@pytest.fixture(scope="module")
def counter():
    return Counter(MODEL)


def same(one, other):
    assert (one.n, one.low, one.high, one.why) == (other.n, other.low, other.high, other.why)
    assert one.by_class == other.by_class
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)


def test_folder_is_a_table_and_pictures_also_when_it_goes_on(counter, tmp_path, monkeypatch):
    photos = tmp_path / "my <photos>"
    photos.mkdir()
    for number, photo in enumerate(PHOTOS):
        shutil.copy(photo, photos / f"=<i>{number}.png")
    (photos / "cut.png").write_bytes(PHOTOS[0].read_bytes()[:3000])
    monkeypatch.chdir(tmp_path)
    first = counter.count_folder(photos)
    assert first.file.as_posix() == "out/my <photos>.csv"
    for again in (first, counter.count_folder(photos)):
        truth = [counter.count(photo) for photo in PHOTOS]
        assert again.table["photo"].tolist() == ["=<i>0.png", "=<i>1.png", "cut.png"]
        assert again.table["count"].dropna().tolist() == [one.n for one in truth]
        assert pd.isna(again.table["count"].iloc[2]) and again.table["trust"].iloc[2] == "failed"
        assert [len(one.boxes) for one in again.counts] == [len(one.boxes) for one in truth]
        shown = again._repr_html_()
        assert shown.count('<img src="data:image/svg') == 2 and "NA&gt;" not in shown
        assert "<i>" not in shown and "my <photos>" not in shown and len(shown) < 1_000_000
    assert "2 of 3 photos counted" in repr(first)


def test_slider_counts_as_a_counter_of_that_threshold(counter):
    shown = counter.explore(PHOTOS[0])
    same(shown.count, counter.count(PHOTOS[0]))
    for threshold in (0.3, 0.9):
        shown.slider.value = threshold
        other = Counter(MODEL, threshold).count(PHOTOS[0])
        same(shown.count, other)
        assert f"<b>{other.n}</b>" in shown.words.value
    shown.own.click()
    same(shown.count, counter.count(PHOTOS[0]))
    assert str(counter.count(PHOTOS[0]).number) in shown.words.value


def test_groups_of_classes_hold_on_the_slider():
    counter, other = Counter(MODEL), Counter(MODEL, 0.4)
    for one in (counter, other):
        one.group({"<b>red": ["rbc"]})
    shown = counter.explore(PHOTOS[0])
    shown.slider.value = 0.4
    same(shown.count, other.count(PHOTOS[0]))
    assert "<b>red" not in shown.words.value


def test_photo_is_uploaded(counter):
    shown = counter.explore()
    assert shown.slider.disabled and "Upload" in shown.words.value
    content = PHOTOS[1].read_bytes()
    file = {"name": "<i>x.png", "type": "image/png", "size": len(content), "content": content}
    shown.upload.value = ({**file, "last_modified": pd.Timestamp.now().to_pydatetime()},)
    same(shown.count, counter.count(PHOTOS[1]))
    assert "<i>" not in shown.words.value and "x.png" in shown.words.value
    shown.slider.value = 0.5
    same(shown.count, Counter(MODEL, 0.5).count(PHOTOS[1]))
    before = shown.count
    broken = {**file, "name": "no.png", "content": b"hi", "size": 2}
    shown.upload.value = ({**broken, "last_modified": pd.Timestamp.now().to_pydatetime()},)
    assert "no.png: The content is no JPEG" in shown.words.value and shown.count is before


def test_uploads_of_both_ipywidgets_are_understood():
    new = ({"name": "a.png", "content": memoryview(b"12")},)
    old = {"a.png": {"metadata": {"name": "a.png"}, "content": b"12"}}
    assert _uploaded(new) == _uploaded(old) == ("a.png", b"12")


def test_without_widgets_one_sentence_says_so(counter, monkeypatch):
    shown = counter.explore()
    said = shown._repr_mimebundle_()["text/plain"]
    assert said == repr(shown) and "counter.count(photo)" in said and "…" not in said
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.delitem(sys.modules, "cellcount.counting.notebook.explorer")
    with pytest.raises(CellCountError, match="install it"):
        counter.explore(PHOTOS[0])
