"""ImageJ's regions of interest: .roi, and the RoiSet.zip that the ROI Manager saves.

A zip is named like its photo, as are .roi files or their folder. The class is the group of a region
or what stands before the number in its name, as in "white cell-12". The layout is read and written
by roifile.
"""

import re
import struct
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from glob import escape
from pathlib import Path

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi, roiwrite

from cellcount.errors import CellCountError
from cellcount.labels.formats.content import DAMAGED_ZIP, understood, whole
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.frame import Corners
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, box, point
from cellcount.labels.outlines import Outline
from cellcount.photos.reading import is_photo

IMAGES = "."  # a zip beside each photo
_LARGEST = 256_000_000  # bytes that a zip may unpack to; a region takes some hundred
_WIDEST = 65_535  # pixels, in the whole numbers of a region
_NUMBER = re.compile(r"[-_ ]?\d+$")
# What ImageJ, roifile and cellpose call a region that nobody has named.
_NAMELESS = re.compile(r"[\W\d_]*|[0-9a-f]{8}-[0-9a-f-]{27}|F\d+-C\d+", re.IGNORECASE)
_QUOTED = re.compile(r'"(.*)"-\d+')  # a class that would pass for no name, as we write it
_OUTLINES = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_LINES = (ROI_TYPE.LINE, ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE, ROI_TYPE.ANGLE)


def mine(path: Path) -> bool:
    """Whether a file is a region or a zip of regions; one without any lies beside its photo."""
    if path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except DAMAGED_ZIP:
            return False
        beside = names or any(is_photo(one) for one in path.parent.glob(f"{escape(path.stem)}.*"))
        return bool(beside) and all(name.lower().endswith(".roi") for name in names)
    return path.suffix.lower() == ".roi"


def read(paths: Sequence[Path], photos: Photos) -> list[Foreign]:
    """The regions of each photo.

    Raises:
        CellCountError: a file is damaged, or it is unclear which photo it labels.
    """
    shapes: dict[Path, list[Shape]] = defaultdict(list)
    said_by: dict[Path, Path] = {}
    slices: dict[Path, set[tuple[int, ...]]] = defaultdict(set)
    for path in paths:
        photo = photos.of_file(path)
        said_by.setdefault(photo, path)
        shapes[photo] += _read(path, slices[photo])
        if len(slices[photo] - {(0, 0, 0, 0)}) > 1:
            raise CellCountError(
                f"{path} holds regions of several slices: save those of each slice apart, with "
                "the slice as a photo."
            )
    return [
        photos.labelled(photo, None, some, said_by[photo], stored=True)
        for photo, some in shapes.items()
    ]


def _read(path: Path, slices: set[tuple[int, ...]]) -> list[Shape]:
    with understood(path, "ImageJ"):
        try:
            regions = [ImagejRoi.frombytes(content) for content in _contents(path)]
        except Wrong:
            raise
        except (struct.error, *DAMAGED_ZIP) as error:
            raise Wrong(f"it is cut short or damaged: {error}") from error
        slices |= {(r.position, r.c_position, r.z_position, r.t_position) for r in regions}
        return [
            shape
            for number, region in enumerate(regions, start=1)
            for shape in _shapes(region, f"region {region.name or number}")
        ]


def _contents(path: Path) -> list[bytes]:
    if path.suffix.lower() == ".roi":
        return [whole(path)]
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
            raise Wrong(f"it would unpack to over {_LARGEST / 1e6:.0f} MB")
        return [archive.read(entry) for entry in archive.infolist()]


def _shapes(region: ImagejRoi, who: str) -> list[Shape]:
    if region.roitype in _LINES:
        raise Wrong(f"{who} is a line, which marks no cell: delete it")
    label = _class(region)
    points = region.coordinates() if region.roitype == ROI_TYPE.POINT else ()
    if len(points):
        return [point(label, position, who) for position in points]
    if region.subpixelrect:
        return [box(label, (region.xd, region.yd), (region.widthd, region.heightd), who)]
    if region.subpixel_coordinates is not None:
        return [bounds(label, region.subpixel_coordinates, who)]
    whole = bounds(label, [(region.left, region.top), (region.right, region.bottom)], who)
    if region.roitype in _OUTLINES and region.n_coordinates:
        whole = whole._replace(outline=bounds(label, region.coordinates(), who).outline)
    return [whole]


def _class(region: ImagejRoi) -> str:
    if region.group:
        return f"group {region.group}"
    name = region.name.removesuffix(".roi")
    if quoted := _QUOTED.fullmatch(name):
        return quoted[1]
    return "" if _NAMELESS.fullmatch(name) else _NUMBER.sub("", name)


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write a zip of regions for each photo; the photos are copied by who calls."""
    for one in labelled:
        drawn = enumerate(one.stored, start=1)
        regions = [_region(number, *marked) for number, marked in drawn]
        names = [f"{number:04}.roi" for number in range(1, len(regions) + 1)]
        roiwrite(target / f"{one.stem}.zip", regions, name=names, mode="w")


def _region(number: int, label: str, corners: Corners, outline: Outline) -> ImagejRoi:
    if _NAMELESS.fullmatch(label) or _QUOTED.fullmatch(f"{label}-1"):
        label = f'"{label}"'
    if len(outline) == 1 and max(corners) <= _WIDEST:  # several parts are kept as their bounds
        region = ImagejRoi.frompoints(np.array(outline[0]), name=f"{label}-{number}")
        region.roitype = ROI_TYPE.POLYGON
        return region
    left, top, right, bottom = corners
    whole = [min(round(one), _WIDEST) for one in corners]  # which is as far as they go
    return ImagejRoi(
        roitype=ROI_TYPE.RECT,
        version=227,
        options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
        name=f"{label}-{number}",
        left=whole[0],
        top=whole[1],
        right=whole[2],
        bottom=whole[3],
        xd=left,
        yd=top,
        widthd=right - left,
        heightd=bottom - top,
    )
