"""Slides to count on, larger than memory: the bundled photos side by side, again and again."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks.photos import BUNDLED

_ACROSS, _DOWN = 3, 2  # bundled photos, until they come again
_TILE = 512
_SMALLEST = 1024  # pixels of the last copy


def slide(target: Path, side: int) -> Path:
    """Write a pyramidal OME-TIFF of JPEG-compressed tiles, in seconds: no tile is encoded twice.

    Args:
        target: file to write.
        side: pixels across and down.
    """
    import cv2
    import imagecodecs
    import numpy as np
    import tifffile
    from PIL import Image

    photos = [np.asarray(Image.open(one)) for one in BUNDLED[: _ACROSS * _DOWN]]
    rows = [np.hstack(photos[row * _ACROSS : (row + 1) * _ACROSS]) for row in range(_DOWN)]
    whole = np.vstack(rows)
    shrinks = [2**step for step in range(20) if side >> step >= _SMALLEST]

    def tiles(shrink: int) -> Iterator[bytes]:
        high, wide = (length // shrink for length in whole.shape[:2])
        small = cv2.resize(whole, (wide, high), interpolation=cv2.INTER_AREA)

        @cache
        def encoded(top: int, left: int) -> bytes:
            at = np.arange(_TILE)
            pixels = small[(top + at)[:, None] % high, (left + at) % wide]
            return imagecodecs.jpeg_encode(pixels, 90, colorspace="rgb", outcolorspace="rgb")

        for top in range(0, side // shrink, _TILE):
            for left in range(0, side // shrink, _TILE):
                yield encoded(top % high, left % wide)

    with tifffile.TiffWriter(target, bigtiff=True, ome=True) as file:
        for shrink in shrinks:
            file.write(
                tiles(shrink),
                shape=(side // shrink, side // shrink, 3),
                dtype=np.uint8,
                photometric="rgb",
                compression="jpeg",
                tile=(_TILE, _TILE),
                **({"subifds": len(shrinks) - 1} if shrink == 1 else {"subfiletype": 1}),
            )
    return target
