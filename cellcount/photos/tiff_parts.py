"""Rectangles of a TIFF's pages: only the tiles or strips that they touch are decoded."""

from collections import OrderedDict
from functools import cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffPage, TiffPageSeries

from cellcount.photos.hyperstack import Window, paste
from cellcount.photos.photo_error import COPY_AGAIN, PhotoError
from cellcount.photos.tiff_pages import CUT, INVERTED, kind_of, mapped_page, start_of, whole_page

_MOST_BYTES = 256_000_000  # of a tile, and of all that are kept, decoded
_ROWS = 2048  # that are read at once, and with them all that a strip holds beside them
_MOST_IN_ROWS = 1_000_000_000
_JPEG = (6, 7, 33007, 34892)  # compressions whose tables may stand elsewhere


def in_parts(key: TiffPage) -> bool:
    """Whether rectangles of such a page can be read, as those of others, in bounded memory."""
    if key.axes not in ("YX", "YXS", "SYX") or key.dtype is None or kind_of(key) == "pillow":
        return False
    if key.photometric == INVERTED and key.dtype != np.uint8:  # whose white is the whole's maximum
        return False
    if key.is_memmappable:
        return True
    row = key.imagewidth * key.samplesperpixel * key.dtype.itemsize
    return prod(key.chunks) * key.dtype.itemsize <= _MOST_BYTES and (
        key.is_tiled or row * _ROWS <= _MOST_IN_ROWS
    )


class Parts:
    """Reads rectangles of the pages of a series, and keeps tiles that the next ones will share."""

    def __init__(self, path: Path, series: TiffPageSeries) -> None:
        self._path, self._series, self._key = path, series, series.keyframe
        self._start = cache(partial(start_of, path, series))
        self._page = cache(partial(whole_page, path, series))
        self._kept: OrderedDict[tuple[int, int], NDArray[Any] | None] = OrderedDict()

    def read(self, number: int, window: Window) -> NDArray[Any]:
        """A rectangle of a page as it is stored, with the axes of the keyframe."""
        key = self._key
        planar = key.axes == "SYX"
        if (start := self._start(number)) is not None:
            mapped = mapped_page(self._path, self._series, start)  # anew, or all would be in memory
            return np.array(mapped[(slice(None), *window) if planar else window])
        planes, samples = (key.samplesperpixel, 1) if planar else (1, key.samplesperpixel)
        rows, columns = window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        made = np.full((planes, height, width, samples), key.nodata, key.dtype)
        high, wide = (
            (key.tilelength, key.tilewidth)
            if key.is_tiled
            else (min(key.rowsperstrip, key.imagelength), key.imagewidth)
        )
        down, across = -(-key.imagelength // high), -(-key.imagewidth // wide)
        if len(self._page(number).dataoffsets) < planes * down * across:
            raise PhotoError(self._path, CUT, COPY_AGAIN)
        touched = [
            (plane, row, column)
            for plane in range(planes)
            for row in range(rows.start // high, -(-rows.stop // high))
            for column in range(columns.start // wide, -(-columns.stop // wide))
        ]
        for plane, row, column in touched:
            segment = self._segment(number, (plane * down + row) * across + column)
            if segment is not None:
                paste(made[plane], segment, row * high - rows.start, column * wide - columns.start)
        of_one = high * wide * samples * made.dtype.itemsize
        while len(self._kept) > max(len(touched), _MOST_BYTES // of_one):
            self._kept.popitem(last=False)
        return made[..., 0] if planar else made[0] if key.axes == "YXS" else made[0, ..., 0]

    def _segment(self, number: int, index: int) -> NDArray[Any] | None:
        """A tile or strip, (height, width, samples); None where a slide has none."""
        if (number, index) in self._kept:
            self._kept.move_to_end((number, index))
            return self._kept[number, index]
        page, key = self._page(number), self._key
        file, data = key.parent.filehandle, None
        if count := page.databytecounts[index]:
            file.seek(page.dataoffsets[index])
            data = file.read(count)
        tables: dict[str, Any] = {}
        if key.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
        decoded, _, _ = key.decode(data, index, **tables)
        self._kept[number, index] = None if decoded is None else decoded[0]
        return self._kept[number, index]
