"""Outlines of cells, which stay in a Pascal VOC file beside the boxes that are their bounds.

An outline is one ring of (x, y) or several, in pixels of the upright photo, where whole numbers
lie between pixels. In the file each is a ``<polygon>`` with x1, y1, x2, ... as Roboflow writes it,
which readers of boxes pass over. An outline counts only as long as it fits its box: a person who
moves a box has changed the cell.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from cellcount.labels.findings import AnnotationError
from cellcount.labels.xml import parse

Ring = tuple[tuple[float, float], ...]
Outline = tuple[Ring, ...]
Sides = tuple[float, float, float, float]

_NEAR = 1  # pixels between outline and box: programs round in their own ways
_AXIS = re.compile(r"([xy])\d*")
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def bounds_of(outline: Outline) -> Sides:
    """xmin, ymin, xmax, ymax of an outline that has points."""
    across, down = zip(*(point for ring in outline for point in ring), strict=True)
    return min(across), min(down), max(across), max(down)


def fits(outline: Outline, box: Sides) -> bool:
    """Whether there is an outline, and its bounds are a box: xmin, ymin, xmax, ymax."""
    return bool(outline) and all(
        abs(one - other) <= _NEAR for one, other in zip(bounds_of(outline), box, strict=True)
    )


def area_of(ring: Ring) -> float:
    """The area that a ring encloses, in square pixels (the shoelace formula)."""
    ends = zip(ring, (*ring[1:], *ring[:1]), strict=True)
    return abs(sum(x * y2 - x2 * y for (x, y), (x2, y2) in ends)) / 2


def taken(item: ElementTree.Element) -> Outline:
    """The outline of an ``<object>``; none where it has none, or one that makes no sense."""
    rings = []
    for polygon in item.findall("polygon"):
        numbers: dict[str, list[float]] = {"x": [], "y": []}
        for leaf in polygon.iter():
            if axis := _AXIS.fullmatch(leaf.tag):
                numbers[axis[1]].append(_number(leaf.text))
        xs, ys = numbers.values()
        if len(xs) != len(ys) or len(xs) < 3 or not all(map(math.isfinite, (*xs, *ys))):
            return ()
        rings.append(tuple(zip(xs, ys, strict=True)))
    return tuple(rings)


def put(item: ElementTree.Element, outline: Outline) -> None:
    """Write an outline into an ``<object>``, with all the decimals it has."""
    for ring in outline:
        polygon = ElementTree.SubElement(item, "polygon")
        for number, point in enumerate(ring, start=1):
            for axis, value in zip("xy", point, strict=True):
                text = repr(float(value)).removesuffix(".0")
                ElementTree.SubElement(polygon, f"{axis}{number}").text = text


def carry(root: ElementTree.Element, replaced: Path) -> None:
    """Keep the outlines of a file that is about to be replaced, of boxes that are as they were.

    Args:
        root: of the new annotation; objects without an outline may get one.
        replaced: the XML that is there now, if any.
    """
    if not replaced.is_file():
        return
    try:
        before = {_corners(item): taken(item) for item in parse(replaced).iter("object")}
    except AnnotationError:  # damaged: there is nothing to keep
        return
    for item in root.iter("object"):
        if item.find("polygon") is None:
            put(item, before.get(_corners(item), ()))


def _corners(item: ElementTree.Element) -> Sequence[float]:
    return tuple(round(_number(item.findtext(f"bndbox/{side}")), 0) for side in _SIDES)


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
