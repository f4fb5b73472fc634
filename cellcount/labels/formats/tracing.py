"""The outline of the pixels of a cell, along their edges: what lies inside is the cell again."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cellcount.labels.outlines import Outline, Ring


def traced(cell: NDArray[np.bool_], left: int, top: int) -> Outline:
    """The outer edges of the parts of a cell; holes are passed over.

    Args:
        cell: (height, width), true on the cell.
        left: where the first column lies in the photo, in pixels.
        top: where the first row lies.
    """
    # OpenCV goes through the middle of pixels. Of pixels cut in four, it goes through quarters,
    # each of which has one corner of the pixel to itself.
    quarters = np.kron(cell.astype(np.uint8), np.ones((2, 2), np.uint8)).astype(np.uint8)
    found, _ = cv2.findContours(quarters, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    start = np.array([left, top])
    return tuple(_ring((contour[:, 0] + 1) // 2 + start) for contour in found)


def _ring(corners: NDArray[np.intp]) -> Ring:
    """Corners one after another, without those passed twice and those on a straight line."""
    moved = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before, after = moved - np.roll(moved, 1, axis=0), np.roll(moved, -1, axis=0) - moved
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before == -after).all(axis=1)
    return tuple((float(x), float(y)) for x, y in moved[turns | back])
