"""The bounds of what people draw around cells: outlines, turned boxes, ellipses; and points."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from cellcount.labels.formats.frame import Corners


class Wrong(ValueError):
    """What is wrong with a file of labels, in words that a reader of the file understands."""


class Shape(NamedTuple):
    """What marks one cell: its bounds in pixels of the upright photo, or a ``point`` on it.

    ``label`` is "" where the file names no class.
    """

    label: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    truncated: bool = False
    difficult: bool = False
    point: bool = False

    def at(self, corners: Corners) -> "Shape":
        """The same shape with other bounds: xmin, ymin, xmax, ymax."""
        return Shape(self.label, *corners, *self[5:])


def bounds(label: str, points: Iterable[Iterable[float]], who: str) -> Shape:
    """The bounds of an outline.

    Args:
        label: class.
        points: (x, y) each.
        who: names the outline in an error.

    Raises:
        Wrong: there is no point, or one is no number of pixels.
    """
    pairs = [(float(x), float(y)) for x, y in points]
    if not pairs:
        raise Wrong(f"{who} has neither box nor outline")
    if not all(map(math.isfinite, (number for pair in pairs for number in pair))):
        raise Wrong(f"{who} has a box without end")
    across, down = zip(*pairs, strict=True)
    return Shape(label, min(across), min(down), max(across), max(down))


def point(label: str, position: Iterable[float], who: str) -> Shape:
    """A point (x, y) on a cell.

    Raises:
        Wrong: a number is none of pixels.
    """
    return bounds(label, [position], who)._replace(point=True)


def box(
    label: str, corner: tuple[float, float], size: tuple[float, float], who: str, turned: float = 0
) -> Shape:
    """The bounds of a box that was turned about its middle, by degrees clockwise.

    Raises:
        Wrong: a number is none of pixels.
    """
    (x, y), (width, height) = corner, size
    middle = x + width / 2, y + height / 2
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return bounds(label, (turn(corner, middle, turned) for corner in corners), who)


def ellipse(
    label: str, middle: tuple[float, float], radii: tuple[float, float], who: str, turned: float = 0
) -> Shape:
    """The bounds of an ellipse that was turned about its middle, by degrees clockwise.

    Raises:
        Wrong: a number is none of pixels.
    """
    cosine, sine = _direction(turned)
    across = math.hypot(radii[0] * cosine, radii[1] * sine)
    down = math.hypot(radii[0] * sine, radii[1] * cosine)
    (x, y) = middle
    return bounds(label, [(x - across, y - down), (x + across, y + down)], who)


def turn(
    position: tuple[float, float], about: tuple[float, float], degrees: float
) -> tuple[float, float]:
    """A position turned about another, clockwise as y points down."""
    cosine, sine = _direction(degrees)
    x, y = position[0] - about[0], position[1] - about[1]
    return about[0] + x * cosine - y * sine, about[1] + x * sine + y * cosine


def _direction(degrees: float) -> tuple[float, float]:
    """Cosine and sine, exact for quarters, so that boxes turned by them stay whole pixels."""
    if degrees % 90 == 0:
        return [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
