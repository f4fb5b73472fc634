"""Which part of a photo is counted, and which of the cells at its edge.

A cell belongs to a region if the centre of its box lies inside. With the edge rule of counting
chambers (``two``) a cell that touches the left or the top edge counts, and one that touches the
right or the bottom edge does not, wherever else it lies. Of squares side by side each cell is then
counted in exactly one, and large cells no more often than small ones: the unbiased counting frame
(Gundersen, Journal of Microscopy 1977, 111, 219-223). Without a region the edges are the photo's
rim. For boxes the rule comes down to where their lower right corner lies.

Only the boxes that are left are weighed, so number and interval are the region's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from cellcount.counting.region_files import points_in
from cellcount.errors import CellCountError
from cellcount.files import digest
from cellcount.labels.formats.frame import upright
from cellcount.photos.reading import PhotoError, photo_turn
from cellcount.photos.round_field import round_field

EDGES = ("all", "two")  # whose cells count
_NUMBERS = re.compile(r"\s*{0}\s*,\s*{0}\s*,\s*{0}\s*,\s*{0}\s*".format(r"(\d+(?:\.\d+)?)(%?)"))
_OUTSIDE = 0.01  # of a region's area: that little may lie beyond the photo
_TOUCH = 0.05  # of a box's side: so near to the photo's rim the cell is cut by it


@dataclass(frozen=True)
class Outline:
    """The part of one photo that is counted, in pixels of the upright photo.

    ``whole`` says that it is all of the photo, whose rim is then where cells are cut; ``edges`` is
    one of :data:`EDGES`.
    """

    polygon: shapely.Polygon
    size: tuple[int, int]
    whole: bool
    edges: str

    @property
    def area(self) -> float:
        """In square pixels."""
        return float(self.polygon.area)

    @property
    def corners(self) -> NDArray[np.float64] | None:
        """Corners (n, 2) to draw; None if it is the whole photo."""
        return None if self.whole else shapely.get_coordinates(self.polygon.exterior)

    def counted(self, boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(n,), which of boxes (n, 4) count."""
        if self.edges == "two":
            left, top, right, bottom = self.polygon.bounds
            ends = boxes[:, 2:] + _TOUCH * (boxes[:, 2:] - boxes[:, :2])
            # Lines in the midst of a photo cut no box short, so there nothing is added.
            ends = np.where((right, bottom) >= np.array(self.size), ends, boxes[:, 2:])
            return np.asarray(
                ((boxes[:, 2:] >= (left, top)) & (ends < (right, bottom))).all(axis=1)
            )
        if self.whole:
            return np.ones(len(boxes), dtype=bool)
        x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
        return np.asarray(shapely.intersects_xy(self.polygon, x, y))


@dataclass(frozen=True)
class Region:
    """The part of photos that is asked for; all of them if nothing is given.

    ``circle`` asks for the round field, found on each photo. ``rectangle`` is left, top, width and
    height, and ``percent`` says which of these are parts of the photo's sides. ``points`` (n, 2)
    are a polygon's corners; ``stored`` says that they are of the photo as it is stored. ``name`` is
    how it was asked for.
    """

    name: str = ""
    circle: bool = False
    rectangle: tuple[float, ...] = ()
    percent: tuple[bool, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    stored: bool = False
    edges: str = "all"

    @classmethod
    def asked(cls, text: str | None, edges: str = "all") -> "Region":
        """The region that a text names.

        Args:
            text: ``circle``; or left, top, width and height in pixels or percent, as
                ``100,50,800,600`` or ``25%,25%,50%,50%``; or a polygon's file: ImageJ's ``.roi``,
                or a table of x and y. None is the whole photo.
            edges: ``all`` cells at the edge count, or those at ``two``: the left and the top one.

        Raises:
            CellCountError: it names none, or has no edges of which two could be told.
        """
        if edges not in EDGES:
            raise CellCountError(f"There are no edges {edges!r}: choose {' or '.join(EDGES)}.")
        if text is None:
            return cls(edges=edges)
        if found := _NUMBERS.fullmatch(text):
            numbers, percent = (
                found.groups()[::2],
                tuple(sign == "%" for sign in found.groups()[1::2]),
            )
            rectangle = tuple(map(float, numbers))
            if not min(rectangle[2:]) > 0:
                raise CellCountError(f"The region {text} has no area: give its width and height.")
            return cls(text, rectangle=rectangle, percent=percent, edges=edges)
        if edges == "two":
            raise CellCountError(
                "Two edges are told apart of rectangles only: of a circle or a polygon a cell "
                "counts if its centre lies inside. Leave out --edges two, or give a rectangle."
            )
        if text == "circle":
            return cls(text, circle=True)
        points, stored = points_in(Path(text))
        return cls(f"{Path(text).name} {digest(Path(text))}", points=points, stored=stored)

    def on(
        self,
        photo: str | Path | None,
        size: tuple[int, int],
        pixels: NDArray[np.uint8] | None = None,
    ) -> Outline:
        """Where it lies on a photo.

        Args:
            photo: its path, if there is one.
            size: (width, height) of the photo in pixels, upright.
            pixels: (height, width, 3), upright; None of a photo that is too large for memory.

        Raises:
            PhotoError: the photo shows no round field, or the region does not fit it.
        """
        width, height = size
        frame = shapely.box(0, 0, width, height)
        file = Path(photo or "photo")
        if not self.name:
            return Outline(frame, size, True, self.edges)
        if self.circle:
            field = None if pixels is None else round_field(pixels)
            if field is None:
                raise PhotoError(
                    file,
                    "No bright round field was found on the photo.",
                    "Give the region as a rectangle or a polygon.",
                )
            wanted = shapely.Point(field.x, field.y).buffer(field.radius, quad_segs=64)
            return Outline(wanted.intersection(frame), size, False, self.edges)
        wanted = self._drawn(photo, size)
        inside = wanted.intersection(frame)
        if inside.area < (1 - _OUTSIDE) * wanted.area or inside.geom_type != "Polygon":
            raise PhotoError(
                file,
                f"The region {self.name} reaches beyond the photo of {width} x {height} pixels.",
                "Draw it on this photo, or give it in percent.",
            )
        return Outline(inside, size, False, self.edges)

    def _drawn(self, photo: str | Path | None, size: tuple[int, int]) -> shapely.Polygon:
        if self.rectangle:
            sides: Sequence[float] = (*size, *size)
            parts = zip(self.rectangle, self.percent, sides, strict=True)
            left, top, wide, high = (n * side / 100 if part else n for n, part, side in parts)
            return shapely.box(left, top, left + wide, top + high)
        points = self.points
        if self.stored and photo is not None and (turn := photo_turn(photo)) != 1:
            points = tuple(upright((x, y, x, y), turn, size)[:2] for x, y in points)
        return shapely.Polygon(points)
