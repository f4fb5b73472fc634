"""How a photo looks, in a few numbers that a biologist has words for."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import laplace, uniform_filter

_SIDE = 256  # pixels of the longest side: photos that differ in size only look alike then
_COARSE = 16  # pixels: what is as large as many a cell


def look(pixels: NDArray[np.uint8], side: int | None = None) -> dict[str, float]:
    """Brightness, contrast, sharpness and pattern, as logarithms, and how colourful, red and blue.

    Sharpness is how much neighbouring pixels differ beside how much all do, so it does not depend
    on the contrast; pattern is how much squares a sixteenth of the photo wide do, beside those
    twice as wide.

    Args:
        pixels: (height, width, 3), RGB.
        side: look only at the square of that side in the middle.
    """
    if side is not None:
        top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
        pixels = pixels[top : top + side, left : left + side]
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    small = np.asarray(image, dtype=float) / 255
    grey = small.mean(axis=2)
    contrast = grey.std() + 0.004  # the step from one of 256 greys to the next
    coarse = uniform_filter(grey, _COARSE) - uniform_filter(grey, 2 * _COARSE)
    return {
        "brightness": float(np.log(grey.mean() + 0.004)),
        "contrast": float(np.log(contrast)),
        "sharpness": float(np.log(np.abs(laplace(grey)).mean() / contrast + 0.01)),
        "pattern": float(np.log(coarse.std() / contrast + 0.01)),
        "colours": float(np.ptp(small, axis=2).mean()),
        "red": float((small[..., 0] - small[..., 1]).mean()),
        "blue": float((small[..., 2] - small[..., 1]).mean()),
    }
