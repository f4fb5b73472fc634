"""From a photo to what a detector sees: resized and padded as IceVision's ``resize_and_pad`` does.

Pixel for pixel that is Albumentations' LongestMaxSize and PadIfNeeded, without importing them.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_PADDING = (124, 116, 104)  # the mean colour of ImageNet


class Frame(NamedTuple):
    """A photo in the frame of a detector.

    ``pixels`` is (H, W, 3), uint8, RGB. ``photo`` is the size (width, height) that the photo had;
    in the frame it has the ``size`` (width, height) and lies at ``corner`` (left, top).
    """

    pixels: NDArray[np.uint8]
    photo: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]

    def to_photo(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes (n, 4) of the frame in pixels of the photo, cut off at its edges."""
        scale = np.divide(self.photo, self.size)
        moved = (boxes.reshape(-1, 2, 2).astype(float) - self.corner) * scale
        return np.clip(moved, 0, self.photo).reshape(-1, 4)


def frame(photo: NDArray[np.uint8], size: int | tuple[int, int]) -> Frame:
    """Fit a photo (height, width, 3) into a square, or stretch it to a given width and height.

    Args:
        photo: upright, RGB.
        size: of the frame, as an ``img_size`` of IceVision's: a number of pixels a side, or
            (width, height).
    """
    height, width = photo.shape[:2]
    if isinstance(size, int):
        scale = size / max(width, height)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        outer = size, size
    else:
        inner = outer = (size[0], size[1])
    resized: NDArray[Any] = photo
    if inner != (width, height):
        resized = cv2.resize(photo, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    pixels = np.empty((outer[1], outer[0], 3), np.uint8)
    if inner != outer:
        pixels[:] = _PADDING
    pixels[top : top + inner[1], left : left + inner[0]] = resized
    return Frame(pixels, (width, height), (left, top), inner)


def widened(photo: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A photo (height, width, 3) with padding on the right, if both its sides are shorter."""
    height, width = photo.shape[:2]
    if max(height, width) >= side:
        return photo
    pixels = np.empty((height, side, 3), np.uint8)
    pixels[:] = _PADDING
    pixels[:, :width] = photo
    return pixels
