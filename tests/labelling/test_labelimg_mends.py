"""Each mend of labelImg on its own, in a window that no screen shows."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.labelling.labelimg.screen import missing_libraries
from cellcount.labels import voc
from cellcount.setup import packages

if packages.installed("labelImg") is None or missing_libraries():
    pytest.skip("labelImg or what its window needs is not installed here", allow_module_level=True)

from cellcount.labelling.labelimg.mended import mended_labelimg

PHOTO = (100, 80)


@pytest.fixture(scope="module")
def labelimg() -> Any:
    hook = sys.excepthook
    module = mended_labelimg()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QT_QPA_PLATFORM", "offscreen")
        module.application = module.QApplication.instance() or module.QApplication(["test"])
    yield module
    sys.excepthook = hook


@pytest.fixture
def told(labelimg: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What message boxes would say; nobody is there to close them."""
    said: list[str] = []
    box = labelimg.QMessageBox
    monkeypatch.setattr(box, "warning", lambda *words: said.append(words[-1]))
    monkeypatch.setattr(
        labelimg.MainWindow, "error_message", lambda _, title, text: said.append(f"{title}: {text}")
    )
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", PHOTO, "grey").save(folder / name)
    return folder


@pytest.fixture
def opened(labelimg: Any, folder: Path, tmp_path: Path, told: list[str]) -> Callable[[], Any]:
    classes = tmp_path / "classes.txt"
    classes.write_text("yeast\nbud")

    def open_folder() -> Any:
        window = labelimg.MainWindow(None, str(classes), str(folder))
        window.import_dir_images(str(folder))
        return window

    return open_folder


def label(xml: Path, *boxes: voc.Box, verified: str | None = None) -> None:
    voc.write(xml, voc.Annotation(xml.with_suffix(".png").name, *PHOTO, boxes))
    if verified:
        mark = f'<annotation verified="{verified}">'
        xml.write_text(xml.read_text().replace("<annotation>", mark))


def draw(labelimg: Any, window: Any, *corners: float) -> None:
    """Add a box as the canvas does when the mouse is released."""
    left, top, right, bottom = corners
    shape = labelimg.Shape(label="yeast")
    for x, y in ((left, top), (right, top), (right, bottom), (left, bottom)):
        shape.add_point(labelimg.QPointF(x, y))
    shape.close()
    window.canvas.shapes.append(shape)
    window.add_label(shape)
    window.set_dirty()


BOX = voc.Box("yeast", 10, 10, 30, 30)


def test_every_mend_says_what_it_mends(labelimg: Any) -> None:
    from icevision_bridge.patches import PATCHES

    patches = [one for one in PATCHES if one.library == "labelImg"]
    assert len(patches) > 15
    assert all(one.applies() and one.breaks and one.until for one in patches)


def test_scroll_bars_and_the_zoom_take_floats(labelimg: Any) -> None:
    area = labelimg.QScrollArea()
    bar = area.verticalScrollBar()
    bar.setRange(0, 100)
    bar.setValue(7.6)
    assert bar.value() == 8
    zoom = labelimg.ZoomWidget()
    zoom.setValue(109.5)
    assert zoom.value() == 110


def test_the_painter_draws_where_floats_say(labelimg: Any) -> None:
    import libs.canvas

    image = labelimg.QImage(20, 20, labelimg.QImage.Format_RGB888)
    image.fill(labelimg.QColor("white"))
    painter = libs.canvas.QPainter(image)
    painter.setPen(labelimg.QColor("black"))
    painter.drawRect(4.2, 4.2, 10.0, 10.0)
    painter.drawLine(0.0, 18.0, 19.0, 18.0)
    painter.drawText(1.5, 12.5, "a")
    painter.end()
    dark = {(x, y) for x in range(20) for y in range(20) if image.pixelColor(x, y).lightness() < 99}
    assert {(4, 4), (14, 14), (0, 18), (19, 18)} <= dark


def test_an_error_is_shown_once_and_ends_no_painting(
    labelimg: Any, opened: Callable[[], Any], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    window = opened()
    image = labelimg.QImage(9, 9, labelimg.QImage.Format_RGB888)
    window.canvas._painter.begin(image)
    for _ in range(3):
        sys.excepthook(ValueError, ValueError("odd"), None)
    sys.excepthook(CellCountError, CellCountError("Do this."), None)
    labelimg.application.processEvents()
    assert not window.canvas._painter.isActive()
    assert len(told) == 2
    assert "odd" in told[0]
    assert "Ctrl+S" in told[0]
    assert told[1] == "Do this."
    assert "Traceback" not in capsys.readouterr().err


def test_a_damaged_xml_is_told_and_kept(
    labelimg: Any, opened: Callable[[], Any], folder: Path, told: list[str]
) -> None:
    label(folder / "a.xml", BOX)
    torn = (folder / "a.xml").read_bytes()[:-30]
    (folder / "a.xml").write_bytes(torn)
    window = opened()
    assert "damaged" in told[0]
    assert "a.xml.damaged" in told[0]
    assert (folder / "a.xml").read_bytes() == torn
    draw(labelimg, window, 5, 5, 9, 9)
    window.open_next_image()
    assert (folder / "a.xml.damaged").read_bytes() == torn
    assert len(voc.read(folder / "a.xml").boxes) == 1


def test_an_xml_with_entities_is_refused(
    opened: Callable[[], Any], folder: Path, told: list[str]
) -> None:
    label(folder / "a.xml", BOX)
    text = (folder / "a.xml").read_text()
    attack = '<!DOCTYPE a [<!ENTITY e "yeast">]>' + text.replace("yeast", "&e;")
    (folder / "a.xml").write_text(attack)
    window = opened()
    assert window.canvas.shapes == []
    assert "entities" in told[0]


@pytest.mark.parametrize("mark", [None, "no", "yes"])
def test_the_mark_of_a_person_or_a_model_stays_until_space(
    labelimg: Any, opened: Callable[[], Any], folder: Path, mark: str | None
) -> None:
    def marked() -> str | None:
        return ElementTree.parse(folder / "a.xml").getroot().get("verified")

    label(folder / "a.xml", BOX, verified=mark)
    window = opened()
    assert ("press space" in window.windowTitle()) == (mark == "no")
    draw(labelimg, window, 5, 5, 9, 9)
    window.save_file()
    assert marked() == mark
    window.verify_image()
    assert marked() == (None if mark == "yes" else "yes")
    window.verify_image()
    assert marked() == ("yes" if mark == "yes" else None)  # unconfirmed by hand is no model's


def test_outlines_stay_with_the_boxes_that_nobody_moved(
    opened: Callable[[], Any], folder: Path
) -> None:
    rings = (
        (((10.5, 10.0), (30.0, 12.0), (20.0, 30.25)),),
        (((50.0, 50.0), (70.0, 55.0), (60, 60)),),
    )
    there = voc.Box("bud", 50, 50, 70, 60, outline=rings[1])
    label(folder / "a.xml", replace(BOX, outline=rings[0]), there, voc.Box("bud", 1, 1, 5, 5))
    window = opened()
    window.canvas.shapes[1].move_by(window.canvas.shapes[1].points[0] * 0.1)
    window.set_dirty()
    window.save_file()
    kept, moved, plain = voc.read(folder / "a.xml").boxes
    assert (kept.outline, moved.outline, plain.outline) == (rings[0], (), ())
    assert (moved.label, moved.xmin, moved.ymin) == ("bud", 55, 55)


def test_boxes_of_the_previous_photo_join_those_that_are_there(
    opened: Callable[[], Any], folder: Path
) -> None:
    label(folder / "a.xml", BOX, verified="yes")
    label(folder / "b.xml", voc.Box("bud", 40, 40, 60, 60))
    window = opened()
    window.open_next_image()
    window.copy_previous_bounding_boxes()
    assert sorted(box.label for box in voc.read(folder / "b.xml").boxes) == ["bud", "yeast"]
    assert "verified" not in (folder / "b.xml").read_text()


def test_corners_are_rounded(labelimg: Any) -> None:
    points = [(10.6, 20.4), (30.6, 20.4), (30.6, 40.7), (10.6, 40.7)]
    assert labelimg.LabelFile.convert_points_to_bnd_box(points) == (11, 20, 31, 41)


def test_corners_are_where_the_mouse_is(labelimg: Any, opened: Callable[[], Any]) -> None:
    canvas = opened().canvas
    canvas.scale = 1.5
    canvas.resize(301, 201)  # the photo, 150 by 120 at this scale, is in its middle
    corner = canvas.transform_pos(labelimg.QPoint(101, 77))
    assert corner.x() == pytest.approx((101 - 75.5) / 1.5)
    assert corner.y() == pytest.approx((77 - 40.5) / 1.5)


def test_a_box_is_square_only_while_ctrl_is_pressed(
    labelimg: Any, opened: Callable[[], Any]
) -> None:
    window = opened()
    canvas = window.canvas
    canvas.set_drawing_shape_to_square(True)  # as when a message took the release of Ctrl

    def pressed(keys: Any) -> bool:
        position = labelimg.QPointF(3, 3)
        left = labelimg.Qt.LeftButton
        kind = labelimg.QEvent.MouseButtonPress
        canvas.mousePressEvent(labelimg.QMouseEvent(kind, position, left, left, keys))
        return bool(canvas.draw_square)

    assert not pressed(labelimg.Qt.NoModifier)
    assert pressed(labelimg.Qt.ControlModifier)
    window.draw_squares_option.setChecked(True)
    assert pressed(labelimg.Qt.NoModifier)


def test_photos_come_upright_as_the_counting_sees_them(labelimg: Any, tmp_path: Path) -> None:
    deep = np.full((8, 20), 1000, np.uint16)  # of a 10-bit camera: nearly black to Qt
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    image = labelimg.read(str(tmp_path / "deep.tif"))
    assert image.pixelColor(3, 3).lightness() == 1000 // 4
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    image = labelimg.read(str(tmp_path / "turned.jpg"))
    assert (image.width(), image.height()) == (20, 30)


def test_an_unreadable_photo_is_told_and_passed(
    opened: Callable[[], Any], folder: Path, told: list[str]
) -> None:
    label(folder / "a.xml", BOX)
    (folder / "b.png").write_bytes(b"no photo")
    window = opened()
    window.open_next_image()
    assert "b.png" in told[0]
    window.verify_image()
    window.copy_previous_bounding_boxes()
    for name in ("save", "create", "delete", "copy", "edit"):
        assert not getattr(window.actions, name).isEnabled()
    assert not (folder / "b.xml").exists()
    window.open_next_image()
    assert window.windowTitle().endswith("c.png [3 / 3]")
    window.open_prev_image()
    window.open_prev_image()
    assert window.windowTitle().endswith("a.png [1 / 3]")


def test_a_box_selected_on_one_photo_is_not_selected_on_the_next(
    opened: Callable[[], Any], folder: Path
) -> None:
    label(folder / "a.xml", BOX)
    window = opened()
    assert window.canvas.selected_shape
    window.open_next_image()
    assert not window.actions.copy.isEnabled()
    assert not window.actions.delete.isEnabled()
    window.copy_selected_shape()
    assert window.canvas.shapes == []


def test_the_order_is_the_folders_and_subfolders_stay_out(
    opened: Callable[[], Any], folder: Path
) -> None:
    (folder / "sub").mkdir()
    Image.new("RGB", PHOTO).save(folder / "sub" / "a.png")
    (folder / ".cellcount-order.txt").write_text("c.png\n")
    window = opened()
    assert [Path(path).name for path in window.m_img_list] == ["c.png", "a.png", "b.png"]
    assert Path(window.file_path) == folder / "c.png"


def test_a_folder_without_photos_leaves_the_window_as_it_was(
    opened: Callable[[], Any], tmp_path: Path
) -> None:
    window = opened()
    (tmp_path / "none").mkdir()
    with pytest.raises(CellCountError, match="no photo"):
        window.import_dir_images(str(tmp_path / "none"))
    assert window.file_path.endswith("a.png")


def test_boxes_go_beside_their_photo_whatever_folder_came_first(
    labelimg: Any, opened: Callable[[], Any], folder: Path, tmp_path: Path
) -> None:
    window = opened()
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", PHOTO).save(other / "z.png")
    draw(labelimg, window, 5, 5, 9, 9)
    window.import_dir_images(str(other))  # saves first
    draw(labelimg, window, 5, 5, 9, 9)
    window.save_file()
    assert (folder / "a.xml").exists()
    assert (other / "z.xml").exists()


def test_a_missing_folder_is_made_again_and_told(
    labelimg: Any, opened: Callable[[], Any], folder: Path, told: list[str]
) -> None:
    window = opened()
    draw(labelimg, window, 5, 5, 9, 9)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    window.save_file()
    assert len(voc.read(folder / "a.xml").boxes) == 1
    assert "was gone" in told[0]


def test_what_cannot_be_saved_stays_on_the_screen(
    labelimg: Any,
    opened: Callable[[], Any],
    folder: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = opened()
    label(folder / "a.xml", BOX)
    before = (folder / "a.xml").read_bytes()
    draw(labelimg, window, 5, 5, 9, 9)

    def full(_: Path, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    box = labelimg.QMessageBox
    for answer in (box.Yes, box.Cancel):  # to: save and proceed?
        monkeypatch.setattr(window, "discard_changes_dialog", lambda answer=answer: answer)
        window.open_next_image()
        assert window.file_path.endswith("a.png")
        window.file_item_double_clicked(window.file_list_widget.item(2))
        assert window.file_path.endswith("a.png")
        event = labelimg.QCloseEvent()
        window.closeEvent(event)
        assert not event.isAccepted()
    assert len(window.canvas.shapes) == 1
    assert "No space left" in told[0]
    assert (folder / "a.xml").read_bytes() == before
    assert not list(folder.glob(".*"))
    monkeypatch.setattr(window, "discard_changes_dialog", lambda: box.No)
    window.open_next_image()
    assert window.file_path.endswith("b.png")


@pytest.mark.parametrize("way", ["next", "list", "close"])
def test_every_way_on_saves_first(
    labelimg: Any, opened: Callable[[], Any], folder: Path, way: str
) -> None:
    window = opened()
    draw(labelimg, window, 5, 5, 9, 9)
    if way == "next":
        window.open_next_image()
    elif way == "list":
        window.file_item_double_clicked(window.file_list_widget.item(2))
        assert window.file_path.endswith("c.png")
    else:
        window.closeEvent(labelimg.QCloseEvent())
    assert len(voc.read(folder / "a.xml").boxes) == 1


def test_a_duplicate_counts_as_a_change(opened: Callable[[], Any], folder: Path) -> None:
    label(folder / "a.xml", BOX)
    window = opened()
    assert not window.dirty
    window.copy_selected_shape()
    assert window.dirty


def test_a_photo_without_cells_can_be_saved(opened: Callable[[], Any], folder: Path) -> None:
    window = opened()
    assert window.actions.save.isEnabled()
    window.actions.save.trigger()
    assert voc.read(folder / "a.xml").boxes == ()


def test_settings_stay_out_and_slips_do_nothing(
    labelimg: Any, opened: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = tmp_path / ".labelImgSettings.pkl"
    settings.write_bytes(b"not to be opened")
    window = opened()
    assert window.auto_saving.isChecked()
    assert window.label_file_format == labelimg.LabelFileFormat.PASCAL_VOC
    for action in (window.actions.save_format, window.actions.resetAll, window.actions.deleteImg):
        assert not action.isEnabled()
        action.trigger()
    window.close()
    assert settings.read_bytes() == b"not to be opened"
    assert window.label_file_format == labelimg.LabelFileFormat.PASCAL_VOC


def test_labels_in_other_formats_change_nothing(
    labelimg: Any, opened: Callable[[], Any], folder: Path
) -> None:
    (folder / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "a.json").write_text("[]")
    (folder / "b.json").write_text("[]")
    window = opened()
    assert "a.txt is not read" in window.statusBar().currentMessage()
    window.open_next_image()
    draw(labelimg, window, 5, 5, 9, 9)
    window.open_prev_image()
    assert len(voc.read(folder / "b.xml").boxes) == 1
    assert (folder / "b.json").read_text() == "[]"


def test_the_dialog_opens_with_the_first_class_then_with_the_last_one_given(
    labelimg: Any, opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened()
    offered: list[str] = []

    def pop_up(_: Any, text: str = "", move: bool = True) -> str:
        offered.append(text)
        return "bud"

    monkeypatch.setattr(labelimg.LabelDialog, "pop_up", pop_up)
    for _ in range(2):
        shape = labelimg.Shape()
        shape.add_point(labelimg.QPointF(1, 1))
        window.canvas.shapes.append(shape)
        window.new_shape()
    assert offered == ["yeast", "bud"]
