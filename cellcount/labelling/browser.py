"""Label in a notebook: draw, correct and confirm boxes where there is no screen for labelImg.

The drawing is done by jupyter-bbox-widget. Photos are shown upright and shrunken; boxes are saved
in pixels of the photo, as Pascal VOC, where labelImg and the training find them.
"""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Box, Button, HBox, IntSlider, VBox
from jupyter_bbox_widget import BBoxWidget
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.labelling.launch import known_classes
from cellcount.labels import voc
from cellcount.labels.review_order import by_a_person, in_order
from cellcount.photos.reading import photo_size, read_photo

_SHOWN = 2400  # pixels of the longest side that the browser gets: a megabyte a photo
_LEAST = 2  # pixels of the photo; less is a click, no box

_HOW = (
    "Drag on the photo to draw a box, drag a box or its edges to correct it, click it and press "
    "<b>Delete</b> to remove it. <b>Submit</b> saves the boxes and says that you have looked at "
    "all of them; <b>Skip</b> saves nothing. Number keys choose the kind of cell."
)
_WHO = {
    None: "labelled by a person",
    True: "confirmed",
    False: "<b>boxes that a model drew</b>; correct them, then submit",
}


def label(folder: str | Path, classes: Sequence[str] | None = None) -> VBox:
    """Go through the photos of a folder in the notebook, and label them.

    Photos come in the order that ``python -m cellcount prelabel`` has kept, those first that nobody
    has labelled or confirmed. Boxes that a model drew are shown, to be corrected.

    Args:
        folder: with photos.
        classes: the kinds of cells; by default those that the labels in the folder name.

    Raises:
        CellCountError: there is no photo, or no kind of cell is known.
    """
    photos = sorted(in_order(folder), key=by_a_person)  # what is done comes last
    kinds = list(classes) if classes else known_classes(folder)
    if not kinds:
        raise CellCountError(
            f"Nothing in {folder} is labelled yet, so say what your cells are called: "
            f'cc.label("{folder}", classes=["Microalgae"]).'
        )
    return Labeller(photos, kinds).view


class Labeller:
    """Photos one after the other, with their boxes; ``view`` is what a notebook shows.

    Args:
        photos: in the order in which they come.
        classes: the kinds of cells.
    """

    def __init__(self, photos: Sequence[Path], classes: Sequence[str]) -> None:
        self.photos, self.place = list(photos), 0
        self._unsaved: dict[Path, list[dict[str, Any]]] = {}
        self.boxes = BBoxWidget(classes=list(classes))
        self.boxes.on_submit(self.submit)
        self.boxes.on_skip(self.skip)
        self.title, self.message = HTML(), HTML()
        back = Button(description="Back", tooltip="to the photo before")
        back.on_click(lambda _: self.turn_to(self.place - 1))
        zoom = IntSlider(100, 100, 250, 25, description="zoom, %", continuous_update=False)
        zoom.observe(lambda change: self._zoom(change["new"]), "value")
        frame = Box([self.boxes], layout={"overflow": "auto", "max_height": "85vh"})
        bar = HBox([back, zoom, self.title])
        self.view = VBox([HTML(_HOW), bar, self.message, frame])
        self._zoom(100)
        self._show()

    def submit(self) -> None:
        """Save the boxes as a person's, confirmed, and go on to the next photo."""
        photo = self.photos[self.place]
        drawn = to_photo(self.boxes.bboxes, self._scale, self._size)
        try:
            voc.write(
                photo.with_suffix(".xml"),
                voc.Annotation(photo.name, *self._size, drawn, verified=True),
            )
        except CellCountError as error:
            self.message.value = _warning(error)
            return
        self._unsaved.pop(photo, None)
        self._show(self.place + 1)

    def skip(self) -> None:
        """Go on without saving; the boxes are there again when the photo is."""
        self.turn_to(self.place + 1)

    def turn_to(self, place: int) -> None:
        """Show another photo; the boxes of this one are kept as long as the notebook runs."""
        if self.place < len(self.photos):
            self._unsaved[self.photos[self.place]] = self.boxes.bboxes
        self._show(max(place, 0))

    def _show(self, place: int = 0) -> None:
        """Show the photo at ``place``, or the next one that can be shown."""
        self.message.value = ""
        self.place = place
        while self.place < len(self.photos):
            photo = self.photos[self.place]
            try:
                boxes, who = self._load(photo)
            except CellCountError as error:
                self.message.value += _warning(error)
                self.place += 1
                continue
            self.boxes.selected_index = -1
            self.boxes.bboxes = self._unsaved.get(photo, boxes)
            self.boxes.view_only = self.boxes.hide_buttons = False
            place_of_all = f"{self.place + 1} of {len(self.photos)}"
            self.title.value = f"<b>{escape(photo.name)}</b>, {place_of_all}: {who}"
            return
        self.boxes.view_only = self.boxes.hide_buttons = True
        self.title.value = "<b>That was the last photo.</b>"

    def _load(self, photo: Path) -> tuple[list[dict[str, Any]], str]:
        """Hand the photo to the browser; return its boxes, and who drew them."""
        pixels = read_photo(photo, shrink_to=_SHOWN)
        self._size = photo_size(photo)
        self._scale = max(self._size) / max(pixels.shape[:2])
        xml = photo.with_suffix(".xml")
        boxes, who = [], "no boxes yet"
        if xml.is_file():
            annotation = voc.read(xml)
            boxes = to_screen(annotation.boxes, self._scale)
            who = _WHO[annotation.verified]
            kinds = [box.label for box in annotation.boxes]
            self.boxes.classes = list(dict.fromkeys([*self.boxes.classes, *kinds]))
        jpeg = io.BytesIO()
        Image.fromarray(pixels).save(jpeg, "JPEG", quality=85)
        self.boxes.image_bytes = jpeg.getvalue()
        return boxes, who

    def _zoom(self, percent: int) -> None:
        self.boxes.layout.min_width = f"{percent}%"


def to_screen(boxes: Sequence[voc.Box], scale: float) -> list[dict[str, Any]]:
    """Boxes as the widget has them, in pixels of the shrunken photo, not rounded.

    Args:
        boxes: in pixels of the photo.
        scale: how many of these make one of the shrunken photo.
    """
    return [
        {
            "x": box.xmin / scale,
            "y": box.ymin / scale,
            "width": (box.xmax - box.xmin) / scale,
            "height": (box.ymax - box.ymin) / scale,
            "label": box.label,
            "truncated": box.truncated,
            "difficult": box.difficult,
        }
        for box in boxes
    ]


def to_photo(
    boxes: Sequence[dict[str, Any]], scale: float, size: tuple[int, int]
) -> tuple[voc.Box, ...]:
    """What :func:`to_screen` undoes: boxes in pixels of the photo, cut at its edges.

    Boxes that are no larger than a click are left out.

    Args:
        boxes: the widget's.
        scale: as for :func:`to_screen`.
        size: (width, height) of the photo.
    """
    found = []
    for box in boxes:
        xs = sorted((box["x"], box["x"] + box["width"]))
        ys = sorted((box["y"], box["y"] + box["height"]))
        xmin, xmax = (min(max(round(x * scale), 0), size[0]) for x in xs)
        ymin, ymax = (min(max(round(y * scale), 0), size[1]) for y in ys)
        if min(xmax - xmin, ymax - ymin) >= _LEAST:
            truncated, difficult = (box.get(flag, False) for flag in ("truncated", "difficult"))
            found.append(voc.Box(box["label"], xmin, ymin, xmax, ymax, truncated, difficult))
    return tuple(found)


def _warning(error: Exception) -> str:
    return f"<p style='color:#b00020'>{escape(str(error))}</p>"
