"""Boxes of points and masks, and pieces of photos that have them."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]  # (n, 4)


class Labelled(NamedTuple):
    """A photo (height, width, 3) of a look, and boxes (n, 4) around its cells, in its pixels."""

    look: str
    name: str
    photo: Pixels
    boxes: Boxes

    def piece(self, x: int, y: int, side: int) -> "Labelled":
        """A square of it, with the boxes whose middle is inside, as far as they are."""
        photo = self.photo[y : y + side, x : x + side]
        boxes = self.boxes[self.inside(x, y, side)] - [x, y, x, y]
        height, width = photo.shape[:2]
        return self._replace(photo=photo, boxes=boxes.clip(0, [width, height] * 2))

    def inside(self, x: int, y: int, side: int) -> NDArray[np.bool_]:
        """(n,), which boxes have their middle in that square."""
        middle = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2 - [x, y]
        return ((middle >= 0) & (middle < side)).all(axis=1)

    def enlarged(self, times: float) -> "Labelled":
        """The same with larger cells."""
        photo = cv2.resize(self.photo, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        return self._replace(photo=photo, boxes=self.boxes * times)


def parted(points: NDArray[np.int64], cells: NDArray[np.bool_], reach: float) -> NDArray[np.int64]:
    """(height, width), the number of the point that each pixel belongs to, from 1; 0 if to none.

    Args:
        points: (n, 2), x and y of a pixel in each cell.
        cells: (height, width), where cells are; those that touch are parted at their waist.
        reach: pixels from its point at most.
    """
    marks = np.zeros(cells.shape, int)
    x, y = np.clip(points.T, 0, np.array(cells.shape)[::-1, None] - 1)
    marks[y, x] = np.arange(1, len(points) + 1)
    near = ndimage.distance_transform_edt(marks == 0) <= reach
    marks = ndimage.grey_dilation(marks, size=(5, 5))
    depth = ndimage.distance_transform_edt(cells)
    return watershed(-depth, marks, mask=(cells & near) | (marks > 0))


def bounds(labels: NDArray[np.int64]) -> Boxes:
    """Boxes around the parts of an image of labels, or of a mask's parts; none under 4 pixels."""
    if labels.max(initial=0) == 1:
        labels = ndimage.label(labels)[0]
    boxes = [box_of(part) for part in ndimage.find_objects(labels) if part is not None]
    found = np.array(boxes, dtype=float).reshape(-1, 4)
    return found[(found[:, 2:] - found[:, :2] >= 4).all(axis=1)]


def stretched(values: NDArray, low: float, high: float) -> Pixels:
    """A photo (height, width, 3) whose percentiles ``low`` and ``high`` are black and white."""
    values = values.astype(float)
    dark, bright = np.percentile(values, [low, high])
    grey = (np.clip((values - dark) / (bright - dark + 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def box_of(part: tuple[slice, slice]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a part of an image."""
    rows, columns = part
    return columns.start, rows.start, columns.stop, rows.stop


def sides_of(boxes: Boxes) -> NDArray[np.float64]:
    """(n,), the side in pixels of the square that is as large as each box."""
    return np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
