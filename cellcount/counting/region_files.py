"""A region that somebody has drawn: ImageJ's .roi, or a table of the x and y of a polygon."""

import re
import struct
from pathlib import Path

import numpy as np
import shapely
from roifile import ROI_TYPE, ImagejRoi

from cellcount.errors import CellCountError

_TABLES = (".csv", ".tsv", ".txt", ".xls")  # ImageJ's .xls is text
_AREAS = (
    *(ROI_TYPE.RECT, ROI_TYPE.OVAL),
    *(ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED),
)
_LARGEST = 10_000_000  # bytes; a polygon takes some thousand
_STRANGE = (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error)

Points = tuple[tuple[float, float], ...]


def points_in(file: Path) -> tuple[Points, bool]:
    """Corners of a polygon in pixels, and whether they are of the photo as it is stored.

    ImageJ shows the stored pixels, whatever EXIF says of turning them.

    Raises:
        CellCountError: the file is missing, of another kind, damaged, or holds no area.
    """
    suffix = file.suffix.lower()
    if suffix != ".roi" and suffix not in _TABLES:
        raise CellCountError(
            f"There is no region {file}: give circle, or x,y,width,height, or a file that ends in "
            ".roi (ImageJ) or .csv (columns x and y)."
        )
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError("it is larger than any region")
        points = _imagej(file) if suffix == ".roi" else _table(file)
        polygon = shapely.Polygon(points)
    except _STRANGE as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CellCountError(
            f"The region in {file} cannot be read ({why}): save it again as ImageJ's .roi or as a "
            "CSV with the columns x and y."
        ) from error
    if not polygon.is_valid or not polygon.area:
        raise CellCountError(f"The region in {file} has no area, or crosses itself: draw it anew.")
    return points, suffix == ".roi"


def _imagej(file: Path) -> Points:
    region = ImagejRoi.frombytes(file.read_bytes())
    if region.roitype not in _AREAS:
        raise ValueError("it is a line or a point, no area")
    if region.roitype in _AREAS[:2]:
        corner = np.array([region.left, region.top], dtype=float)
        sides = np.array([region.right, region.bottom]) - corner
        if region.subpixelrect:
            corner, sides = (
                np.array([region.xd, region.yd]),
                np.array([region.widthd, region.heightd]),
            )
        unit = shapely.box(0, 0, 1, 1)
        if region.roitype == ROI_TYPE.OVAL:
            unit = shapely.Point(0.5, 0.5).buffer(0.5, quad_segs=64)
        found = corner + shapely.get_coordinates(unit)[:-1] * sides
    else:
        found = region.coordinates()
    return tuple((float(x), float(y)) for x, y in found)


def _table(file: Path) -> Points:
    """Two columns, or those named x and y; what parts them is a comma, a semicolon or a space."""
    text = file.read_text(encoding="utf-8-sig")
    rows = [
        re.split(r" *[,;\t] *| +", line.strip(" ")) for line in text.splitlines() if line.strip()
    ]
    names = [name.strip().casefold() for name in rows[0]] if rows else []
    x, y = 0, 1
    if any(re.search("[a-z]", name) for name in names):
        x, y = names.index("x"), names.index("y")
        rows = rows[1:]
    return tuple((float(row[x]), float(row[y])) for row in rows)
