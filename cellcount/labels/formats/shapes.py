"""The bounds of what people draw around cells: outlines, turned boxes, ellipses; and points.

An outline stays with its bounds; of an ellipse they are all that is kept.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from cellcount.labels.formats.frame import Corners, turned, upright
from cellcount.labels.outlines import Outline, bounds_of


class Wrong(ValueError):
    """What is wrong with a file of labels, in words that a reader of the file understands."""


class Shape(NamedTuple):
    """What marks one cell: its bounds in pixels of the upright photo, or a ``point`` on it.

    ``label`` is "" where the file names no class. ``outline`` is empty where the bounds are all
    that is known.
    """

    label: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    truncated: bool = False
    difficult: bool = False
    point: bool = False
    outline: Outline = ()

    def at(self, corners: Corners) -> "Shape":
        """The same shape with other bounds: xmin, ymin, xmax, ymax."""
        return Shape(self.label, *corners, *self[5:])

    def turned(self, turn: int, size: tuple[int, int]) -> "Shape":
        """A shape on the stored photo as it lies on the upright one of (width, height) ``size``."""
        there = self.at(upright(self[1:5], turn, size))
        return there._replace(outline=turned(self.outline, upright, turn, size))


def bounds(label: str, points: Iterable[Iterable[float]], who: str) -> Shape:
    """The bounds of an outline.

    Args:
        label: class.
        points: (x, y) each.
        who: names the outline in an error.

    Raises:
        Wrong: there is no point, or one is no number of pixels.
    """
    return outlined(label, [points], who)


def outlined(label: str, rings: Iterable[Iterable[Iterable[float]]], who: str) -> Shape:
    """The bounds of an outline of several rings, and the rings if they say more than the bounds.

    A ring that ends where it began is known without its last point.

    Args:
        label: class.
        rings: points (x, y) each.
        who: names the outline in an error.

    Raises:
        Wrong: there is no point, or one is no number of pixels.
    """
    drawn = tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings)
    if not any(drawn):
        raise Wrong(f"{who} has neither box nor outline")
    if not all(math.isfinite(number) for ring in drawn for point in ring for number in point):
        raise Wrong(f"{who} has a box without end")
    left, top, right, bottom = bounds_of(drawn)
    kept = tuple(ring[:-1] if len(ring) > 3 and ring[0] == ring[-1] else ring for ring in drawn)
    plain = {(x, y) for x in (left, right) for y in (top, bottom)}
    whole = all(len({*ring}) > 2 and {*ring} != plain for ring in kept)
    return Shape(label, left, top, right, bottom, outline=kept if whole else ())


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
