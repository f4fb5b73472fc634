"""Labelling in a notebook, from what the widget sends to what is saved; no browser is opened."""

import io

import numpy as np
import pytest
from PIL import Image

import cellcount as cc
from cellcount.errors import CellCountError
from cellcount.labelling.browser import Labeller, to_photo, to_screen
from cellcount.labels import voc
from cellcount.labels.review_order import write_order

SIZE = (2100, 2801)  # upright


@pytest.fixture
def folder(tmp_path):
    """Three photos, the first sideways with an EXIF tag and boxes that a model drew."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.new("RGB", SIZE, "white")
    upright.paste("red", (0, 0, 2100, 300))
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", exif=exif)
    boxes = (voc.Box("cell", 301, 399, 500, 521, difficult=True), voc.Box("cell", 7, 9, 30, 33))
    voc.write(tmp_path / "b.xml", voc.Annotation("b.jpg", *SIZE, boxes, verified=False))
    for name in ("a.png", "c.png"):
        Image.new("RGB", (90, 60)).save(tmp_path / name)
    write_order(tmp_path, [tmp_path / "c.png", tmp_path / "b.jpg"])
    return tmp_path


def _labeller(folder, *names):
    return Labeller([folder / name for name in names], ["cell"])


def test_untouched_boxes_come_back_as_they_were():
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 2000, (300, 2))
    side = rng.integers(2, 100, (300, 2))
    boxes = tuple(
        voc.Box("cell", *map(int, (*c, *(c + s)))) for c, s in zip(corner, side, strict=True)
    )
    for scale in (1.0, 2801 / 2400, 3.7):
        assert to_photo(to_screen(boxes, scale), scale, SIZE) == boxes


def test_drawn_box_is_mapped_within_a_pixel_and_cut_at_the_edge():
    drawn = {"x": 100, "y": 200, "width": 30, "height": 40, "label": "cell"}
    scale = 2801 / 2400
    (box,) = to_photo([drawn], scale, SIZE)
    exact = np.array([100, 200, 130, 240]) * scale
    assert np.abs(np.array([box.xmin, box.ymin, box.xmax, box.ymax]) - exact).max() <= 0.5
    backwards = {"x": 130, "y": 240, "width": -30, "height": -40, "label": "cell"}
    assert to_photo([backwards], scale, SIZE) == (box,)
    outside = {"x": -5, "y": 2390, "width": 50, "height": 90, "label": "cell"}
    assert to_photo([outside], scale, SIZE) == (voc.Box("cell", 0, 2789, 53, 2801),)
    click = {"x": 50, "y": 50, "width": 0, "height": 0, "label": "cell"}
    assert to_photo([click], scale, SIZE) == ()


def test_photo_is_sent_upright_and_shrunken_with_its_boxes(folder):
    boxes = _labeller(folder, "b.jpg").boxes
    shown = Image.open(io.BytesIO(boxes.image_bytes))
    assert shown.size == (round(2100 * 2400 / 2801), 2400)
    assert shown.getpixel((900, 100))[1] < 60 and shown.getpixel((900, 2300))[1] > 200
    first = boxes.bboxes[0]
    assert first["x"] * 2801 / 2400 == pytest.approx(301)
    assert (first["y"] + first["height"]) * 2801 / 2400 == pytest.approx(521)


def test_submitting_confirms_and_goes_on(folder):
    labeller = _labeller(folder, "b.jpg", "a.png")
    assert "a model drew" in labeller.title.value
    kept = labeller.boxes.bboxes[:1]
    labeller.boxes.bboxes = [*kept, {"x": 6, "y": 12, "width": 60, "height": 24, "label": "dust"}]
    labeller.boxes._handle_custom_msg({"type": "submit"}, [])
    saved = voc.read(folder / "b.xml")
    assert (saved.verified, saved.filename, saved.width, saved.height) == (True, "b.jpg", *SIZE)
    old = voc.Box("cell", 301, 399, 500, 521, difficult=True)
    assert saved.boxes == (old, voc.Box("dust", 7, 14, 77, 42))
    assert "a.png" in labeller.title.value
    assert labeller.boxes.bboxes == []
    labeller.submit()  # a photo without cells
    assert voc.read(folder / "a.xml") == voc.Annotation("a.png", 90, 60, (), verified=True)
    assert "last" in labeller.title.value and labeller.boxes.hide_buttons


def test_skipping_saves_nothing_and_loses_nothing(folder):
    before = (folder / "b.xml").read_bytes()
    labeller = _labeller(folder, "b.jpg", "a.png")
    changed = labeller.boxes.bboxes[:1]
    labeller.boxes.bboxes = changed
    labeller.boxes._handle_custom_msg({"type": "skip"}, [])
    assert "a.png" in labeller.title.value
    labeller.turn_to(0)
    assert "b.jpg" in labeller.title.value
    assert labeller.boxes.bboxes == changed
    assert (folder / "b.xml").read_bytes() == before


def test_photos_come_in_the_kept_order_and_kinds_from_the_labels(folder):
    view = cc.label(folder)
    assert "c.png" in view.children[1].children[2].value
    assert view.children[3].children[0].classes == ["cell"]


def test_what_a_person_has_labelled_comes_last(folder):
    for name in ("c", "a"):
        photo = folder / f"{name}.png"
        voc.write(folder / f"{name}.xml", voc.Annotation(photo.name, 90, 60, ()))
    view = cc.label(folder, classes=["cell"])
    assert "b.jpg" in view.children[1].children[2].value


def test_unreadable_photo_and_damaged_labels_are_named_and_kept(folder):
    (folder / "broken.jpg").write_bytes(b"no")
    (folder / "a.xml").write_text("<annotation>")
    labeller = _labeller(folder, "broken.jpg", "a.png", "c.png")
    assert "broken.jpg" in labeller.message.value and "a.xml" in labeller.message.value
    assert "c.png" in labeller.title.value
    assert (folder / "a.xml").read_text() == "<annotation>"


def test_failed_save_is_told_and_the_boxes_stay(folder, monkeypatch):
    labeller = _labeller(folder, "b.jpg", "a.png")

    def full(*_):
        raise CellCountError("no room")

    monkeypatch.setattr(voc, "write", full)
    labeller.submit()
    assert "no room" in labeller.message.value
    assert "b.jpg" in labeller.title.value and len(labeller.boxes.bboxes) == 2


def test_folder_without_labels_wants_to_know_the_kind(folder):
    (folder / "b.xml").unlink()
    with pytest.raises(CellCountError, match="classes="):
        cc.label(folder)
    assert cc.label(folder, classes=["cell"]).children[3].children[0].classes == ["cell"]
