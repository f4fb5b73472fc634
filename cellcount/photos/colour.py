"""Colours of a photo: transparency, channels beside each other, one channel shown in a colour."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cellcount.photos.brightness import Scale, bands, eight_bits

_BLOCK = 8  # pixels a side: a JPEG smears colours over blocks, but keeps their mean
_TOLERANCE = 3  # of 255
_FAINT = 0.05  # of the brightest colour; a screen's primary colours have nothing of the others


def rgb(values: NDArray[Any], scale: Scale | None = None) -> NDArray[np.uint8]:
    """Any picture as 8-bit RGB, (height, width, 3); transparent parts are laid on white.

    Args:
        values: (height, width), or (height, width, 3 or 4), the fourth being opacity.
        scale: that of the brightness of the picture of which these are a part.
    """
    if values.ndim == 2:
        pixels = np.empty((*values.shape, 3), np.uint8)
        for rows, band in bands(values, scale):
            cv2.cvtColor(band, cv2.COLOR_GRAY2RGB, dst=pixels[rows])
        return pixels
    colours = eight_bits(values[..., :3], scale)
    if values.shape[2] == 3:
        return np.array(colours)  # one's own: the file may still be mapped into memory
    opacity = values[..., 3]
    if opacity.dtype.kind == "u":
        opacity = (opacity >> (8 * opacity.itemsize - 8)).astype(np.uint8)
    return np.asarray(on_white(Image.fromarray(np.dstack([colours, eight_bits(opacity)])))).copy()


def on_white(image: Image.Image) -> Image.Image:
    """An image with transparent parts as they look on white paper."""
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def uncoloured(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A single channel that is shown in a colour, in grey; any other photo as it is.

    Args:
        pixels: (height, width, 3), RGB.
    """
    return in_grey(pixels) if of_one_hue(pixels) else pixels


def in_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The brightest of red, green and blue (height, width, 3) in the place of each."""
    return cv2.cvtColor(pixels.max(axis=2), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def of_one_hue(pixels: NDArray[np.uint8]) -> bool:
    """Whether a photo (height, width, 3) is a single channel that is shown in a colour.

    Microscopes show a channel in red, blue, cyan or the like: every pixel is then the same colour,
    more or less of it, and at least one of red, green and blue stays dark. Photos of several
    colours, and those taken in white light, are not like that.
    """
    few = pixels[:: max(1, len(pixels) // 64), :: max(1, pixels.shape[1] // 64)]
    light = few.mean(axis=(0, 1))
    if light.min() > 2 * _FAINT * light.max():  # nearly all photos, told at once
        return False
    blocks = np.asarray(Image.fromarray(pixels).reduce(_BLOCK), dtype=float).reshape(-1, 3)
    strongest = blocks[:, int(blocks.sum(axis=0).argmax())]
    if np.ptp(strongest) < _TOLERANCE:  # a flat colour shows nothing
        return False
    hue = blocks.T @ strongest / (strongest @ strongest)
    off = np.abs(blocks - strongest[:, None] * hue).max()
    return bool(hue.min() <= _FAINT and off <= max(_TOLERANCE, _FAINT * strongest.max()))
