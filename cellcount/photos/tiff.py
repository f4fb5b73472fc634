"""TIFF of every kind, by tifffile: what its pages mean, and their numbers as they were stored."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

from cellcount.photos.hyperstack import Hyperstack, of_frames
from cellcount.photos.photo_error import (
    COPY_AGAIN,
    SAVE_ANEW,
    PhotoError,
    check_number,
    check_size,
    explained,
)
from cellcount.photos.pictures import read_page
from cellcount.photos.tiff_metadata import Described, described

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GREY, _INVERTED, _COLOUR, _YCBCR = (0, 1), 0, 2, 6  # PhotometricInterpretation
_FAX = (2, 3, 4)  # compressions
_DECODED_TO_RGB = (7, 33003, 33005, 34712)  # JPEG and JPEG 2000 turn YCbCr into RGB themselves
_MULTIPLIED = (1,)  # ExtraSamples: opacity, by which the colours are multiplied already
_ALPHA = (_MULTIPLIED, (2,))
_MOST_BYTES = 1_600_000_000  # of a page, which is decoded as a whole
_CUT = "The photo is cut short or damaged."
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_SIDEWAYS = (5, 6, 7, 8)
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
                raise PhotoError(path, _CUT, COPY_AGAIN)
            series = [one for one in tiff.series if not one.keyframe.subfiletype & _PREVIEW]
            if tiff.series[0].name == "Baseline":  # of a slide, beside its label and a thumbnail
                series = [tiff.series[0]]
            if len(images) != len(series):  # some of them are elsewhere
                images = images[:1] * len(series)
            shown = series or tiff.series[:1]
            yield [_scene(path, *one) for one in zip(shown, images, strict=False)]
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
            raise PhotoError(path, _CUT, COPY_AGAIN)
        if page in seen:
            raise PhotoError(path, "Its pages follow each other in a circle.", COPY_AGAIN)
        seen.add(page)
        many = int.from_bytes(tags, _ORDERS[form.byteorder])
        place = page + form.tagnosize + many * form.tagsize


def _scene(path: Path, series: TiffPageSeries, said: Described) -> Hyperstack:
    key = series.keyframe
    check_size(path, key.imagewidth, key.imagelength)
    if series.dtype is None or series.dtype.kind not in "buif":
        problem = "Its pixels are complex numbers, or of a type that is not known."
        raise PhotoError(path, problem, SAVE_ANEW)
    if prod(key.shape) * series.dtype.itemsize > _MOST_BYTES:
        raise PhotoError(path, "A page of it does not fit into memory.", "Save its parts apart.")
    many = series.size // prod(key.shape)
    check_number(path, many)
    outer = [one for one in zip(series.axes, series.shape, strict=True) if one[0] not in key.axes]
    if prod(length for _, length in outer) != many:
        outer = [("I", many)]
    kind = _kind(key)
    inner = [
        (axis, length) for axis, length in zip(key.axes, key.shape, strict=True) if axis != "S"
    ]
    if _orientation(key) in _SIDEWAYS:
        inner = [*inner[:-2], ("Y", key.imagewidth), ("X", key.imagelength)]
    if kind == "channels":
        inner.append(("C", key.samplesperpixel))
    elif kind != "grey":
        inner = [*inner[-2:], ("S", 3)]

    def frame(number: int) -> NDArray[Any]:
        if kind == "pillow":
            return read_page(path, _whole(path, series, number).index)
        values = _page(path, series, number)
        if key.axes.startswith("S"):
            values = np.moveaxis(values, 0, -1)
        rows = key.axes.replace("S", "").index("Y")
        values = _turned(_meant(values, key), _orientation(key), rows)
        return _together(values, key, kind)

    return of_frames(
        frame,
        outer,
        inner,
        names=said.channels,
        um_per_px=said.um_per_px,
        unsaid=bool(outer) and {axis for axis, _ in outer} <= {"I", "Q"},
    )


def _kind(key: TiffPage) -> str:
    """How the samples of a pixel are to be taken: grey, opacity, channels, colour, or by Pillow."""
    samples = key.samplesperpixel
    if key.photometric in _GREY and key.compression not in _FAX:
        if samples == 1:
            return "grey"
        return "opacity" if samples == 2 and key.extrasamples[:1] in _ALPHA else "channels"
    decoded = key.photometric == _YCBCR and key.compression in _DECODED_TO_RGB
    return "colour" if samples >= 3 and (decoded or key.photometric == _COLOUR) else "pillow"


def _page(path: Path, series: TiffPageSeries, number: int) -> NDArray[Any]:
    """A page of a series as it is stored, its axes those of the keyframe."""
    key = series.keyframe
    if series.dataoffset is not None:  # the pages of a large ImageJ stack have no directory
        if series.dataoffset + series.nbytes > key.parent.filehandle.size:
            raise PhotoError(path, _CUT, COPY_AGAIN)
        stored = series.dtype.newbyteorder(key.parent.byteorder)
        start = series.dataoffset + number * prod(key.shape) * stored.itemsize
        return np.memmap(path, stored, "r", start, key.shape)
    return _whole(path, series, number).asarray()


def _whole(path: Path, series: TiffPageSeries, number: int) -> TiffPage | TiffFrame:
    """A page whose data are all there: tifffile would fill up with black what is not."""
    key, page = series.keyframe, series.pages[number]
    if page is None:
        problem = f"The file does not hold its picture {number + 1}."
        raise PhotoError(path, problem, COPY_AGAIN)
    ends = [
        start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    missing = not key.is_tiled and 0 in page.databytecounts  # a slide leaves out empty tiles
    if missing or not any(ends) or max(ends) > key.parent.filehandle.size:
        raise PhotoError(path, _CUT, COPY_AGAIN)
    return page


def _meant(values: NDArray[Any], key: TiffPage) -> NDArray[Any]:
    """Numbers whose zero is black and, of less than 8 bits, whose white is 255."""
    if values.dtype == np.uint8 and key.bitspersample < 8:
        values = values * np.uint8(255 // (2**key.bitspersample - 1))
    if key.photometric != _INVERTED:
        return values
    if values.dtype == np.bool_:
        return ~values
    return (255 if values.dtype == np.uint8 else values.max()) - values


def _turned(values: NDArray[Any], turn: int, rows: int) -> NDArray[Any]:
    """Stored pixels upright, by the TIFF's tag Orientation; ``rows`` is the axis Y, X the next."""
    if turn in _SIDEWAYS:
        values = values.swapaxes(rows, rows + 1)
    flipped = [rows] * (turn in (3, 4, 7, 8)) + [rows + 1] * (turn in (2, 3, 6, 7))
    return np.flip(values, flipped)


def _orientation(key: TiffPage) -> int:
    tag = key.tags.get("Orientation")
    return int(tag.value) if tag is not None else 1


def _together(values: NDArray[Any], key: TiffPage, kind: str) -> NDArray[Any]:
    """The samples of a pixel as grey, colour, or colour with opacity."""
    if kind in ("grey", "channels"):
        return values
    if kind == "opacity":
        return values[..., [0, 0, 0, 1]]
    alpha = key.extrasamples[:1]
    values = values[..., : 4 if alpha in _ALPHA else 3]
    if alpha == _MULTIPLIED and values.dtype == np.uint8:
        height, width, _ = values.shape
        multiplied = Image.frombuffer("RGBa", (width, height), values.tobytes())
        return np.asarray(multiplied.convert("RGBA"))
    return values
