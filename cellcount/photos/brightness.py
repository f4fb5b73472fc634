"""Numbers of any kind, as sensors and programs store them, as the 8 bits of a photo."""

from collections.abc import Callable, Iterator
from math import ceil, floor, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND = 32  # rows at once, which stay in the processor's cache

Scale = Callable[[NDArray[Any]], NDArray[np.uint8]]


def eight_bits(values: NDArray[Any], scale: Scale | None = None) -> NDArray[np.uint8]:
    """Scale whole or broken numbers to 0..255, by one rule for all channels of a picture.

    Whole numbers are divided by the power of two that brings 99.9 % of them into 0..255: that is
    the camera's own bit depth (10, 12, 14, 16), so black stays black, colours keep their balance, a
    few hot pixels change nothing, and photos of one series stay comparable. Broken numbers whose
    white is 1 are multiplied by 255, larger ones are treated as whole ones. Where more than 0.1 %
    are below zero, as in a phase image, the darkest is black and the brightest white, but for 0.1 %
    on either side. What is no number is black.

    Args:
        values: (height, width) or (height, width, n) of any real type; 8 bits are returned as they
            are.
        scale: that of the picture of which these are a part; their own if left out.
    """
    if values.dtype == np.uint8:
        return values
    made = np.empty(values.shape, np.uint8)
    for rows, band in bands(values, scale):
        made[rows] = band
    return made


def bands(
    values: NDArray[Any], scale: Scale | None = None
) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """What :func:`eight_bits` makes, a band of rows at a time, which stays in the cache."""
    scale = scale or scale_of(values)
    for top in range(0, len(values), _BAND):
        rows = slice(top, top + _BAND)
        with np.errstate(all="ignore"):  # what is no number is black
            band = scale(values[rows])
        yield rows, band


def scale_of(values: NDArray[Any]) -> Scale:
    """What brings such numbers, and others of the same picture, to 0..255."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray
    if values.dtype == np.bool_:
        return lambda band: band.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return _of_camera(values)
    convert = _scale(values)
    return lambda band: convert(band).astype(np.uint8)


def _of_camera(values: NDArray[Any]) -> Scale:
    """16 bits divided as above, without a remainder; OpenCV takes an eighth of NumPy's time."""
    divisor = 1 << _shift(_percentile(_sample(values), 99.9))
    # It rounds: from half of the largest remainder below, every number comes to its quotient.
    remainder = (divisor - 1) / divisor

    def divided(band: NDArray[Any]) -> NDArray[np.uint8]:
        native = np.ascontiguousarray(band, np.uint16)
        made = cv2.convertScaleAbs(native, alpha=1 / divisor, beta=-remainder / 2)
        return made.astype(np.uint8, copy=False)

    return divided


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    step = max(1, round(sqrt(values.shape[0] * values.shape[1] / 1e6)))  # a million pixels will do
    return values[::step, ::step]


def _percentile(values: NDArray[Any], percent: float) -> float:
    """What ``np.percentile`` gives, of 16 bits: counting each number takes a third of its time."""
    below = np.bincount(values.ravel()).cumsum()
    place = percent / 100 * (values.size - 1)
    first, second = np.searchsorted(below, [floor(place), ceil(place)], side="right")
    return float(first + (second - first) * (place % 1))


def _shift(bright: float) -> int:
    return max(0, int(bright).bit_length() - 8)


def _scale(values: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What brings these numbers to 0..255."""
    whole = values.dtype.kind in "iu"
    sample = _sample(values)
    if not whole:
        sample = sample[np.isfinite(sample)].astype(np.float64)
    bright = float(np.percentile(sample, 99.9)) if sample.size else 0.0
    dark = 0.0 if values.dtype.kind == "u" or not sample.size else float(np.percentile(sample, 0.1))
    shift = _shift(bright)
    if dark < 0:
        factor = 255 / max(bright - dark, 1e-30)
        return lambda band: _rounded((band.astype(np.float64) - dark) * factor)
    if whole:
        return lambda band: np.clip(band >> shift, 0, 255)
    if bright <= 1:
        return lambda band: _rounded(band.astype(np.float64) * 255)
    return lambda band: _rounded(np.floor(band.astype(np.float64) / 2.0**shift))


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    return np.clip(np.rint(np.nan_to_num(values, nan=0, posinf=255, neginf=0)), 0, 255)
