"""Boxes as they are read from the XML, shown, and rounded."""

from functools import wraps
from pathlib import Path
from typing import Any

import defusedxml.ElementTree
from PyQt5.QtCore import QPointF, Qt

from cellcount.errors import CellCountError
from cellcount.labelling.labelimg.mended import mend
from cellcount.labels import voc
from icevision_bridge.patches import Mending, loaded


class _Unconfirmed:
    """labelImg's mark for a photo that a model labelled and nobody has confirmed: not verified."""

    def __bool__(self) -> bool:
        return False


UNCONFIRMED = _Unconfirmed()


def kept_name(xml: Path) -> Path:
    """Where a damaged XML is kept when its photo is labelled anew."""
    number, kept = 1, xml.with_name(f"{xml.name}.damaged")
    while kept.exists():
        number += 1
        kept = xml.with_name(f"{xml.name}.damaged-{number}")
    return kept


def is_damaged(xml: Path) -> bool:
    """Whether labelImg could show no boxes, or not all of them."""
    try:
        loaded("libs.pascal_voc_io").PascalVocReader(str(xml))
    except CellCountError:
        return True
    return False


@mend(
    "libs.pascal_voc_io",
    breaks="a damaged XML shows no boxes and no message, and the next save replaces it",
)
def damage_is_silent() -> Mending:
    module = yield
    reader = module.PascalVocReader

    def read(self: Any, file_path: str) -> None:
        self.shapes, self.file_path, self.verified = [], file_path, False
        try:
            # Before lxml, which would follow what a hostile file defines.
            marked = defusedxml.ElementTree.parse(file_path).getroot().get("verified")
            self.parse_xml()
            if not all(label for label, *_ in self.shapes):
                raise ValueError("a box has no label")
        except Exception as error:  # the file may hold anything
            raise CellCountError(_explained(Path(file_path), error)) from error
        if marked == "no":
            self.verified = UNCONFIRMED

    reader.__init__ = read


def _explained(xml: Path, error: Exception) -> str:
    try:
        voc.read(xml)
    except voc.AnnotationError as known:
        return f"{xml}: {known.finding.problem}"
    return f"{xml}: The XML is damaged ({error})."


@mend(
    "labelImg.labelImg",
    breaks="boxes of the previous photo (Ctrl+V) replace those of this one, and its verified mark",
)
def boxes_replace_boxes() -> Mending:
    module = yield
    window = module.MainWindow
    load_labels, load_xml = window.load_labels, window.load_pascal_xml_by_filename

    @wraps(load_labels)
    def add_labels(self: Any, shapes: Any) -> None:
        before = list(self.canvas.shapes)
        load_labels(self, shapes)
        self.canvas.load_shapes(before + self.canvas.shapes)

    @wraps(load_xml)
    def load_or_tell(self: Any, xml_path: str) -> None:
        before, xml = self.canvas.verified, Path(xml_path)
        try:
            load_xml(self, xml_path)
        except CellCountError as error:
            told = f"{error}<p>The photo is shown without boxes. If you save it, the damaged file "
            told += f"is kept as {kept_name(xml).name}."
            self.error_message("Its boxes cannot be read", told)
        if xml.stem != Path(self.file_path).stem:
            self.canvas.verified = before

    window.load_labels, window.load_pascal_xml_by_filename = add_labels, load_or_tell


@mend(
    "labelImg.labelImg",
    breaks="on a blank canvas, Ctrl+V looks for the photo before none",
)
def boxes_are_copied_onto_nothing() -> Mending:
    module = yield
    window = module.MainWindow
    copy_previous = window.copy_previous_bounding_boxes

    def copy_onto_photo(self: Any, _: bool = False) -> None:
        if self.file_path in self.m_img_list and not self.image.isNull():
            copy_previous(self)

    window.copy_previous_bounding_boxes = copy_onto_photo


@mend(
    "libs.labelFile",
    breaks="it cuts decimals off, which moves every box up and left by half a pixel on average",
)
def boxes_move_up_and_left() -> Mending:
    module = yield
    label_file = module.LabelFile
    to_box = label_file.convert_points_to_bnd_box
    label_file.convert_points_to_bnd_box = staticmethod(
        lambda points: to_box([(round(x), round(y)) for x, y in points])
    )


@mend(
    "libs.canvas",
    breaks="it rounds the mouse to photo pixels before it knows where the photo begins, which "
    "moves a corner by up to a pixel",
)
def corners_miss_the_mouse() -> Mending:
    module = yield
    canvas = module.Canvas
    canvas.transform_pos = lambda self, point: QPointF(point) / self.scale - self.offset_to_center()


@mend(
    "libs.canvas",
    breaks="boxes stay square when a message takes the release of Ctrl (Ctrl+S), and lose the "
    "squareness that the menu asks for",
)
def ctrl_stays_pressed() -> Mending:
    module = yield
    canvas = module.Canvas
    press = canvas.mousePressEvent

    @wraps(press)
    def press_as_keys_are(self: Any, event: Any) -> None:
        asked = self.window().draw_squares_option.isChecked()
        self.draw_square = asked or bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        press(self, event)

    canvas.mousePressEvent = press_as_keys_are
