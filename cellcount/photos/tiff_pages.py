"""Pages of a TIFF: their numbers as stored, turned upright, and what their samples mean."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tifffile import TiffFrame, TiffPage, TiffPageSeries

from cellcount.photos.hyperstack import Window
from cellcount.photos.photo_error import COPY_AGAIN, PhotoError

CUT = "The photo is cut short or damaged."
SIDEWAYS = (5, 6, 7, 8)
INVERTED = 0
_GREY, _COLOUR, _YCBCR = (0, 1), 2, 6  # PhotometricInterpretation
_FAX = (2, 3, 4)  # compressions
_DECODED_TO_RGB = (7, 33003, 33005, 34712)  # JPEG and JPEG 2000 turn YCbCr into RGB themselves
_MULTIPLIED = (1,)  # ExtraSamples: opacity, by which the colours are multiplied already
_ALPHA = (_MULTIPLIED, (2,))


def kind_of(key: TiffPage) -> str:
    """How the samples of a pixel are to be taken: grey, opacity, channels, colour, or by Pillow."""
    samples = key.samplesperpixel
    if key.photometric in _GREY and key.compression not in _FAX:
        if samples == 1:
            return "grey"
        return "opacity" if samples == 2 and key.extrasamples[:1] in _ALPHA else "channels"
    decoded = key.photometric == _YCBCR and key.compression in _DECODED_TO_RGB
    return "colour" if samples >= 3 and (decoded or key.photometric == _COLOUR) else "pillow"


def page_of(path: Path, series: TiffPageSeries, number: int) -> NDArray[Any]:
    """A page of a series as it is stored, its axes those of the keyframe."""
    start = start_of(path, series, number)
    if start is None:
        return whole_page(path, series, number).asarray()
    return mapped_page(path, series, start)


def start_of(path: Path, series: TiffPageSeries, number: int) -> int | None:
    """Where in the file the pixels of a page begin, if it holds them as they are, in one piece."""
    key, start = series.keyframe, series.dataoffset
    if start is not None:  # the pages of a large ImageJ stack have no directory
        if start + series.nbytes > key.parent.filehandle.size:
            raise PhotoError(path, CUT, COPY_AGAIN)
        return start + number * key.nbytes
    if not key.is_memmappable:
        return None
    start = whole_page(path, series, number).dataoffsets[0]
    if start + key.nbytes > key.parent.filehandle.size:
        raise PhotoError(path, CUT, COPY_AGAIN)
    return start


def mapped_page(path: Path, series: TiffPageSeries, start: int) -> NDArray[Any]:
    """A page that begins at a byte of the file; what is not looked at is not read."""
    stored = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    return np.memmap(path, stored, "r", start, series.keyframe.shape)


def whole_page(path: Path, series: TiffPageSeries, number: int) -> TiffPage | TiffFrame:
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
        raise PhotoError(path, CUT, COPY_AGAIN)
    return page


def meant(values: NDArray[Any], key: TiffPage) -> NDArray[Any]:
    """Numbers whose zero is black and, of less than 8 bits, whose white is 255."""
    if values.dtype == np.uint8 and key.bitspersample < 8:
        values = values * np.uint8(255 // (2**key.bitspersample - 1))
    if key.photometric != INVERTED:
        return values
    if values.dtype == np.bool_:
        return ~values
    return (255 if values.dtype == np.uint8 else values.max()) - values


def turned(values: NDArray[Any], turn: int, rows: int) -> NDArray[Any]:
    """Stored pixels upright, by the TIFF's tag Orientation; ``rows`` is the axis Y, X the next."""
    if turn in SIDEWAYS:
        values = values.swapaxes(rows, rows + 1)
    flipped = [rows] * (turn in (3, 4, 7, 8)) + [rows + 1] * (turn in (2, 3, 6, 7))
    return np.flip(values, flipped)


def lying(window: Window, turn: int, height: int, width: int) -> Window:
    """Where a rectangle of an upright picture of that size is stored, by the same tag."""
    rows, columns = window
    if turn in (3, 4, 7, 8):
        rows = slice(height - rows.stop, height - rows.start)
    if turn in (2, 3, 6, 7):
        columns = slice(width - columns.stop, width - columns.start)
    return (columns, rows) if turn in SIDEWAYS else (rows, columns)


def orientation(key: TiffPage) -> int:
    """The tag Orientation, 1 to 8."""
    tag = key.tags.get("Orientation")
    return int(tag.value) if tag is not None else 1


def together(values: NDArray[Any], key: TiffPage, kind: str) -> NDArray[Any]:
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
