"""The bright round field that a microscope's eyepiece shows, found on a photo.

Light parts from dark where Otsu's threshold has it (IEEE Transactions on Systems, Man, and
Cybernetics 1979). The circle lies along the convex hull of the largest light part, which bridges a
pointer and cells at the rim, where that is not cut off by the photo's own rim. A fit that
disregards what lies off it (a shadow, a stray glow) has the last word, and what it finds is
believed only if the photo is round there: light inside, dark outside, at nearly every angle that
can be seen.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

_SIDE = (
    512  # pixels of the longest side of what is looked at; the rim is found to a fraction of one
)
_RIM = 3  # pixels of it along which the photo cuts the field
_FEWEST = 12  # points, to tell a circle from a corner
_ON = 0.015  # of the radius: what lies no further off is on the circle
_ASIDE = 0.04  # of the radius: where light and dark are compared
_DARK = 0.75  # outside, beside inside: as light as this or less
_ON_IT = 0.75  # of the outline must be so
_ROUND = 0.85  # of the angles seen must be so
_SEEN = 0.25  # of the circle must lie on the photo
_SMALLEST, _LARGEST = 0.25, 1.0  # radius, of the shorter and of the longer side


class Circle(NamedTuple):
    """A circle in pixels of a photo, from its upper left corner."""

    x: float
    y: float
    radius: float


def round_field(pixels: NDArray[np.uint8]) -> Circle | None:
    """The bright round field on a photo; None if there is none, or it is not clear where.

    Args:
        pixels: (height, width, 3), RGB.
    """
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    light = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).max(axis=2)
    light = cv2.medianBlur(light, 5)
    otsu, _ = cv2.threshold(light, 0, 255, cv2.THRESH_OTSU)
    for threshold in (otsu, otsu / 2):  # part of the field may lie in shadow
        found = _along(_outline(light, threshold), light)
        if found is not None:
            return Circle(*(float(one / scale) for one in found))
    return None


def _outline(light: NDArray[np.uint8], threshold: float) -> NDArray[np.float64]:
    """Points (n, 2) along the largest light part, where the photo's rim does not cut it off."""
    outlines, _ = cv2.findContours(
        (light > threshold).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not outlines:
        return np.empty((0, 2))
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))[:, 0].astype(float)
    following = np.roll(hull, -1, axis=0)
    # Straight pieces are cut by the photo, or bridge a gap: only their ends lie on the circle.
    short = np.hypot(*(following - hull).T) < 0.1 * np.ptp(hull, axis=0).max()
    hull = hull[short | np.roll(short, 1)] + 0.5
    inner = np.array(light.shape[::-1]) - _RIM
    return hull[((hull > _RIM) & (hull < inner)).all(axis=1)]


def _along(points: NDArray[np.float64], light: NDArray[np.uint8]) -> Circle | None:
    """The circle along points (n, 2) of an outline; None if that is not a round field's."""
    if len(points) < _FEWEST:
        return None
    found = _fitted(points)
    short, long = sorted(light.shape)
    on = np.abs(np.hypot(*(points - found[:2]).T) - found.radius) <= _ON * found.radius
    fits = _SMALLEST * short <= found.radius <= _LARGEST * long and on.mean() >= _ON_IT
    return found if fits and _is_round(light, found) else None


def _fitted(points: NDArray[np.float64]) -> Circle:
    """The circle along most of some points (n, 2); those far off it pull little."""
    # Kåsa's circle (IEEE Transactions on Instrumentation and Measurement 1976) to begin with.
    design = np.column_stack([2 * points, np.ones(len(points))])
    (x, y, c), *_ = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)
    first = x, y, np.sqrt(max(c + x * x + y * y, 1.0))

    def off(circle: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.hypot(*(points - circle[:2]).T) - circle[2]

    return Circle(*least_squares(off, first, loss="cauchy", f_scale=1.0, max_nfev=100).x)


def _is_round(light: NDArray[np.uint8], circle: Circle) -> bool:
    """Whether the photo is light inside and dark outside along what is seen of a circle."""
    turn = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ways = np.column_stack([np.cos(turn), np.sin(turn)])
    around = [
        (circle.x, circle.y) + circle.radius * times * ways for times in (1 - _ASIDE, 1 + _ASIDE)
    ]
    height, width = light.shape
    seen = np.all([((at >= 0) & (at < (width, height))).all(axis=1) for at in around], axis=0)
    if seen.mean() < _SEEN:
        return False
    inside, outside = (light[tuple(at[seen].astype(int).T[::-1])].astype(float) for at in around)
    return bool(np.mean(outside <= _DARK * inside) >= _ROUND)
