"""Photos come in the kept order, and whose work a label is."""

import pytest
from PIL import Image

from cellcount.labels import voc
from cellcount.labels.review_order import by_a_person, in_order, write_order


@pytest.fixture
def photos(tmp_path):
    for name in ("1.png", "2.png", "3.png", "10.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    return tmp_path


def _label(photo, verified):
    voc.write(photo.with_suffix(".xml"), voc.Annotation(photo.name, 8, 8, (), verified=verified))


def _names(folder):
    return [photo.stem for photo in in_order(folder)]


def test_without_an_order_people_count(photos):
    assert _names(photos) == ["1", "2", "3", "10"]


def test_kept_order_comes_first(photos):
    write_order(photos, [photos / "10.png", photos / "2.png", photos / "gone.png"])
    assert _names(photos) == ["10", "2", "1", "3"]
    assert (photos / ".cellcount-order.txt").read_text() == "10.png\n2.png\ngone.png\n"


def test_damaged_order_is_no_order(photos):
    (photos / ".cellcount-order.txt").write_bytes(b"\xff\xfe\x00nonsense")
    assert _names(photos) == ["1", "2", "3", "10"]
    (photos / ".cellcount-order.txt").write_bytes(b"10.png\r\n")
    assert _names(photos) == ["10", "1", "2", "3"]


@pytest.mark.parametrize(("verified", "persons"), [(None, True), (True, True), (False, False)])
def test_only_unconfirmed_boxes_are_not_a_persons(photos, verified, persons):
    _label(photos / "1.png", verified)
    assert by_a_person(photos / "1.png") is persons
    assert not by_a_person(photos / "2.png")


def test_damaged_labels_are_a_persons(photos):
    (photos / "1.xml").write_text("<annotation verified='no'")
    assert by_a_person(photos / "1.png")
