"""Which photos the notebooks take, and quick mode."""

from pathlib import Path

import pytest

from cellcount.errors import CellCountError
from cellcount.photos import folders
from tests.conftest import ROOT


@pytest.fixture
def photos(tmp_path):
    for name in ("labeled/a.jpg", "labeled/a.xml", "not_labeled/b.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_bundled_photos_are_the_default(monkeypatch):
    monkeypatch.delenv("CELLCOUNT_DATA", raising=False)
    monkeypatch.chdir(ROOT)
    assert folders.data_folder() == Path("data")
    assert folders.labeled() == Path("data/labeled")
    assert folders.not_labeled() == Path("data/not_labeled")


def test_another_folder_is_taken_and_said(monkeypatch, photos, capsys):
    monkeypatch.setenv("CELLCOUNT_DATA", str(photos))
    assert folders.data_folder() == photos
    assert folders.labeled() == photos / "labeled"
    assert str(photos) in capsys.readouterr().out


def test_missing_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CELLCOUNT_DATA", str(tmp_path / "gone"))
    with pytest.raises(CellCountError, match="gone"):
        folders.data_folder()


def test_subfolders_or_the_folder_itself(photos):
    assert folders.labeled(photos) == photos / "labeled"
    assert folders.labeled(photos / "labeled") == photos / "labeled"
    assert folders.not_labeled(photos) == photos / "not_labeled"
    assert folders.not_labeled(photos / "labeled") == photos / "labeled"


def test_nothing_to_take_says_what_to_do(tmp_path):
    with pytest.raises(CellCountError, match="labelImg"):
        folders.labeled(tmp_path)
    with pytest.raises(CellCountError, match="put some there"):
        folders.not_labeled(tmp_path)


@pytest.mark.parametrize(("value", "quick"), [("1", True), ("0", False), ("", False)])
def test_quick_mode_announces_itself(value, quick, monkeypatch, capsys):
    monkeypatch.setenv("CELLCOUNT_QUICK", value)
    assert folders.quick() is quick
    assert ("one epoch" in capsys.readouterr().out) is quick
