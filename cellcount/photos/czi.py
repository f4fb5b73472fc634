"""Zeiss's CZI, by czifile: the blocks of a mosaic put together, scene by scene."""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from cellcount.photos.hyperstack import Hyperstack, Window, paste
from cellcount.photos.photo_error import COPY_AGAIN, PhotoError, check_size

# What is wrong with a file is said by a PhotoError, not in the middle of a progress bar.
warnings.filterwarnings("ignore", category=UserWarning, module="czifile")

_MOST_NUMBERS, _KEPT = 16_000_000, 24  # of a block; blocks that the next tile may need, too
_ZSTD, _ZSTD_WITH_HEADER = 5, 6  # compressions that ZEN has written since czifile's last version


def scenes(path: Path) -> Iterator[list[Hyperstack]]:
    """The scenes of the file, which stays open while they are read."""
    from czifile import CziFile

    with CziFile(str(path)) as czi:
        metadata = ElementTree.fromstring(czi.metadata())
        channels = metadata.iterfind("./Metadata/Information/Image/Dimensions/Channels/Channel")
        names = [channel.get("Name", "") for channel in channels]
        width = metadata.findtext("./Metadata/Scaling/Items/Distance[@Id='X']/Value")
        um_per_px = float(width) * 1e6 if width else None
        by_scene: dict[int, list[_Block]] = defaultdict(list)
        entries = czi.filtered_subblock_directory
        # Others are smaller copies.
        for entry in [one for one in entries if one.stored_shape == one.shape] or entries:
            block = _Block(entry)
            by_scene[block.first("S")].append(block)
        yield [_scene(path, by_scene[number], names, um_per_px) for number in sorted(by_scene)]


class _Block:
    """A rectangle of a picture, or of a tile of it."""

    def __init__(self, entry: Any) -> None:
        self.entry = entry
        self._first = dict(zip(entry.axes, entry.start, strict=True))
        self._length = dict(zip(entry.axes, entry.shape, strict=True))

    def first(self, axis: str) -> int:
        return int(self._first.get(axis, 0))

    def end(self, axis: str) -> int:
        return self.first(axis) + int(self._length.get(axis, 1))

    @property
    def page(self) -> tuple[int, ...]:
        """Where it lies along the axes that have no name here, as angles and phases."""
        return tuple(self.first(axis) for axis in "VHIRB")

    def pixels(self) -> NDArray[Any]:
        """(height, width, samples), colours as red, green, blue."""
        entry = self.entry
        if entry.compression in (_ZSTD, _ZSTD_WITH_HEADER):
            values = _unpacked(entry).reshape(entry.stored_shape)
            values = values[..., ::-1] if values.shape[-1] == 3 else values
        else:
            values = entry.data_segment().data()
        return values.reshape(values.shape[-3:])


def _unpacked(entry: Any) -> NDArray[Any]:
    """A block's numbers. Source: the CZI format's documentation, Zstd1 chunk and Hi-Lo packing."""
    import imagecodecs

    packed = bytes(entry.data_segment().data(raw=True))
    apart = False
    if entry.compression == _ZSTD_WITH_HEADER:
        header = packed[: packed[0]]
        apart, packed = len(header) == 3 and bool(header[2] & 1), packed[len(header) :]
    stored = np.frombuffer(imagecodecs.zstd_decode(packed), np.uint8)
    if apart:  # all low bytes, then all high ones
        stored = stored.reshape(2, -1).T.ravel()
    return stored.view(entry.dtype[-2:])


def _scene(
    path: Path, blocks: list[_Block], names: list[str], um_per_px: float | None
) -> Hyperstack:
    left, top = (min(block.first(axis) for block in blocks) for axis in "XY")
    right, bottom = (max(block.end(axis) for block in blocks) for axis in "XY")
    in_parts = all(prod(block.entry.stored_shape) <= _MOST_NUMBERS for block in blocks)
    check_size(path, right - left, bottom - top, in_parts=in_parts)
    samples = max(block.end("0") for block in blocks)
    pages = sorted({block.page for block in blocks})
    steps = {axis: sorted({block.first(axis) for block in blocks}) for axis in "TCZ"}
    at: dict[tuple[int, tuple[int, ...]], list[_Block]] = defaultdict(list)
    for block in blocks:
        here = (steps[axis].index(block.first(axis)) for axis in "TCZ")
        at[pages.index(block.page), tuple(here)].append(block)

    kept = lru_cache(_KEPT)(_Block.pixels)

    def plane(
        page: int, time: int, channel: int, z: int, window: Window | None = None
    ) -> NDArray[Any]:
        rows, columns = window or (slice(0, bottom - top), slice(0, right - left))
        tiles = at[page, (time, channel, z)]
        if not tiles:
            raise PhotoError(path, "The file lacks a picture of its series.", COPY_AGAIN)
        kind = np.dtype(tiles[0].entry.dtype[-2:])
        size = rows.stop - rows.start, columns.stop - columns.start
        values = np.zeros((*size, samples), kind)
        for tile in tiles:
            y, x = tile.first("Y") - top - rows.start, tile.first("X") - left - columns.start
            high, wide = (tile.end(axis) - tile.first(axis) for axis in "YX")
            if -high < y < size[0] and -wide < x < size[1]:
                paste(values, tile.pixels() if window is None else kept(tile), y, x)
        return values if samples > 1 else values[..., 0]

    many = len(steps["C"])
    return Hyperstack(
        plane,
        right - left,
        bottom - top,
        len(pages),
        len(steps["T"]),
        many,
        len(steps["Z"]),
        names if len(names) == many and all(names) else (),
        samples > 1,
        um_per_px,
        in_parts=in_parts,
    )
