"""Which photos labelImg opens, in which order, and what it sees of them."""

import os
from functools import wraps
from pathlib import Path
from typing import Any

from PyQt5.QtGui import QImage

from cellcount.labelling.labelimg.boxes import UNCONFIRMED
from cellcount.labelling.labelimg.mended import mend
from cellcount.labels.review_order import in_order
from cellcount.photos.reading import PhotoError, read_photo
from icevision_bridge.patches import Mending


def _read(path: str, _: Any = None) -> QImage:
    pixels = read_photo(path)
    height, width, _channels = pixels.shape
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format_RGB888).copy()


@mend(
    "labelImg.labelImg",
    breaks="Qt reads photos unlike the counting: 16 bits come out black, errors without a reason",
)
def photos_look_different() -> Mending:
    module = yield
    # Upright too, as Qt had them: the XML's size and boxes are those of the upright photo.
    module.read = _read


@mend(
    "labelImg.labelImg",
    breaks="after an unreadable photo it knows no photo: the next is the first again",
)
def an_unreadable_photo_loses_the_place() -> Mending:
    module = yield
    window = module.MainWindow
    load_file = window.load_file
    save_labels = window.save_labels

    @wraps(load_file)
    def load_or_tell(self: Any, file_path: str) -> bool:
        path = os.path.abspath(file_path)  # noqa: PTH100 - as labelImg has it in its list
        try:
            if not Path(path).is_file():
                raise PhotoError(Path(path), "The photo is gone.", "Bring it back, or go on.")
            return bool(load_file(self, path))
        except PhotoError as error:
            self.image, self.file_path = QImage(), path  # Next and Previous go on from here
            self.set_clean()
            self.toggle_actions(False)
            self.setWindowTitle(f"labelImg {path} {self.counter_str()}")
            self.error_message("This photo cannot be opened", str(error))
            return False

    def save_unless_blank(self: Any, path: str) -> bool:
        return not self.image.isNull() and save_labels(self, path)

    window.load_file, window.save_labels = load_or_tell, save_unless_blank


@mend(
    "labelImg.labelImg",
    breaks="a box selected on the last photo can be duplicated onto the next; deleting it aborts",
)
def the_last_photo_stays_selected() -> Mending:
    module = yield
    window = module.MainWindow
    reset_state = window.reset_state

    @wraps(reset_state)
    def deselect_and_reset(self: Any) -> None:
        self.canvas.de_select_shape()
        self.canvas.un_highlight()
        self.canvas.current = None
        self.shape_selection_changed(False)
        reset_state(self)

    window.reset_state = deselect_and_reset


@mend(
    "labelImg.labelImg",
    breaks="it opens photos of subfolders too, of which many may share a name and then an XML",
)
def photos_come_in_any_order() -> Mending:
    module = yield
    window = module.MainWindow
    import_dir_images = window.import_dir_images

    def scan(_: Any, folder: str) -> list[str]:
        return [os.path.abspath(photo) for photo in in_order(folder)]  # noqa: PTH100

    @wraps(import_dir_images)
    def import_photos(self: Any, folder: str) -> None:
        if folder:
            scan(self, folder)  # tells that there is no photo before the old ones are dropped
        import_dir_images(self, folder)

    window.scan_all_images, window.import_dir_images = scan, import_photos


@mend(
    "labelImg.labelImg",
    breaks="it says nothing about boxes that only a model has seen",
    until="never: labelImg knows no such mark",
)
def unconfirmed_boxes_look_like_others() -> Mending:
    module = yield
    window = module.MainWindow
    paint_canvas = window.paint_canvas
    counter_str = window.counter_str

    def counter_with_mark(self: Any) -> str:
        told = " - a model drew these boxes: correct them, then press space"
        return counter_str(self) + (told if self.canvas.verified is UNCONFIRMED else "")

    @wraps(paint_canvas)
    def paint_with_title(self: Any) -> None:
        paint_canvas(self)
        if self.file_path:
            self.setWindowTitle(f"labelImg {self.file_path} {self.counter_str()}")

    window.counter_str, window.paint_canvas = counter_with_mark, paint_with_title
