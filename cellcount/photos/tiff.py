"""TIFF of every kind, by tifffile: which of its pages are photos, and by which axes they lie."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPageSeries

from cellcount.photos.hyperstack import Hyperstack, Window, of_frames
from cellcount.photos.photo_error import (
    COPY_AGAIN,
    SAVE_ANEW,
    PhotoError,
    check_number,
    check_size,
    explained,
    is_large,
)
from cellcount.photos.pictures import read_page
from cellcount.photos.tiff_metadata import Described, described
from cellcount.photos.tiff_pages import (
    CUT,
    SIDEWAYS,
    kind_of,
    lying,
    meant,
    orientation,
    page_of,
    together,
    turned,
    whole_page,
)
from cellcount.photos.tiff_parts import Parts, in_parts

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_BYTES = 1_600_000_000  # of a page, which is decoded as a whole
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_PREVIEW = 1 | 4  # bits of the tag NewSubfileType: a smaller copy, a mask

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # errors are said by us


def is_tiff(path: Path) -> bool:
    """Whether the content begins as a TIFF does; False if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _SIGNATURES
    except OSError:
        return False


@contextmanager
def opened(path: Path) -> Iterator[list[Hyperstack]]:
    """The scenes of a TIFF, in the order of the file; previews and smaller copies are left out.

    Raises:
        PhotoError: it is damaged, larger than the limit, or of a kind that holds no photo.
    """
    try:
        with TiffFile(path, _multifile=False) as tiff:  # each file of a set is a photo of its own
            _check_chain(path, tiff)
            images = described(path, tiff)
            if tiff.is_imagej and tiff.series[0].kind != "imagej" and len(tiff.pages) == 1:
                raise PhotoError(path, CUT, COPY_AGAIN)
            series = [one for one in tiff.series if not one.keyframe.subfiletype & _PREVIEW]
            if not series or tiff.series[0].name == "Baseline":  # of a slide, beside its label
                series = tiff.series[:1]
            if len(images) != len(series):  # some of them are elsewhere
                images = images[:1] * len(series)
            yield [_scene(path, *one) for one in zip(series, images, strict=True)]
    except Exception as error:  # damaged files raise anything
        raise explained(path, error) from error


def _check_chain(path: Path, tiff: TiffFile) -> None:
    """Refuse pages that lie beyond the file's end, and those that follow each other in a circle.

    tifffile would take the others for the whole, and go round for ever.
    """
    form, file = tiff.tiff, tiff.filehandle
    place, seen = 4 if form.version == 42 else 8, set[int]()
    while True:
        file.seek(place)
        link = file.read(form.offsetsize)
        page = int.from_bytes(link, _ORDERS[form.byteorder])
        if page == 0 and len(link) == form.offsetsize:
            return
        file.seek(page)
        tags = file.read(form.tagnosize)
        if len(link) < form.offsetsize or len(tags) < form.tagnosize:
            raise PhotoError(path, CUT, COPY_AGAIN)
        if page in seen:
            raise PhotoError(path, "Its pages follow each other in a circle.", COPY_AGAIN)
        seen.add(page)
        many = int.from_bytes(tags, _ORDERS[form.byteorder])
        place = page + form.tagnosize + many * form.tagsize


def _outer(series: TiffPageSeries) -> list[tuple[str, int]]:
    """The axes along which the pages of a series lie, with their lengths."""
    axes = zip(series.axes, series.shape, strict=True)
    return [one for one in axes if one[0] not in series.keyframe.axes]


def _scene(path: Path, series: TiffPageSeries, said: Described) -> Hyperstack:
    key = series.keyframe
    check_size(path, key.imagewidth, key.imagelength, in_parts=in_parts(key))
    if series.dtype is None or series.dtype.kind not in "buif":
        problem = "Its pixels are complex numbers, or of a type that is not known."
        raise PhotoError(path, problem, SAVE_ANEW)
    large = is_large(key.imagewidth, key.imagelength)
    if prod(key.shape) * series.dtype.itemsize > _MOST_BYTES and not large:
        raise PhotoError(path, "A page of it does not fit into memory.", "Save its parts apart.")
    many = series.size // prod(key.shape)
    check_number(path, many)
    outer = _outer(series)
    if prod(length for _, length in outer) != many:
        outer = [("I", many)]
    kind = kind_of(key)
    inner = [
        (axis, length) for axis, length in zip(key.axes, key.shape, strict=True) if axis != "S"
    ]
    if orientation(key) in SIDEWAYS:
        inner = [*inner[:-2], ("Y", key.imagewidth), ("X", key.imagelength)]
    if kind == "channels":
        inner.append(("C", key.samplesperpixel))
    elif kind != "grey":
        inner = [*inner[-2:], ("S", 3)]

    def frame(number: int) -> NDArray[Any]:
        if kind == "pillow":
            return read_page(path, whole_page(path, series, number).index)
        return shown(page_of(path, series, number))

    def shown(values: NDArray[Any]) -> NDArray[Any]:
        if key.axes.startswith("S"):
            values = np.moveaxis(values, 0, -1)
        rows = key.axes.replace("S", "").index("Y")
        values = turned(meant(values, key), orientation(key), rows)
        return together(values, key, kind)

    parts = Parts(path, series)

    def part(number: int, window: Window) -> NDArray[Any]:
        height, width = (dict(inner)[axis] for axis in "YX")
        return shown(parts.read(number, lying(window, orientation(key), height, width)))

    return of_frames(
        frame,
        outer,
        inner,
        names=said.channels,
        um_per_px=said.um_per_px,
        unsaid=bool(outer) and {axis for axis, _ in outer} <= {"I", "Q"},
        part=part,
        smaller=[
            _scene(path, one, said)
            for one in (series.levels[1:] if large else ())
            if in_parts(one.keyframe) and _outer(one) == outer
        ],
    )
