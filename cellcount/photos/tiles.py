"""A large photo as overlapping square tiles, and which of them counts which cell.

Neighbours share at least a quarter of a tile's side. Along the middle of what they share the photo
is parted between them: each tile has a core, and every pixel of the photo lies in exactly one core.
A tile counts the boxes whose centre lies in its core and leaves the others to its neighbours. So a
cell is counted once, without comparing the boxes of different tiles; and if it is no longer than a
quarter of a tile, then the tile that counts it sees it whole. What an inner edge cuts off has its
centre in the neighbour's core.

Two tiles see a cell on slightly different pixels. If its centre lies just where cores meet, both
may claim it, or neither; both happen equally often, and to few of the cells.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.errors import CellCountError

SMALLEST = 64


class Tile(NamedTuple):
    """What a tile shows and what it counts.

    ``seen`` and ``core`` are (xmin, ymin, xmax, ymax) in pixels of the photo, as slices have them:
    without the column xmax and the row ymax.
    """

    seen: tuple[int, int, int, int]
    core: tuple[int, int, int, int]

    def counts(self, boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(n,), whether the centre of each box (n, 4), in pixels of the photo, is in the core."""
        centre = boxes.reshape(-1, 2, 2).mean(1)
        # A box without width on the photo's last edge has its centre beyond the last pixel.
        pixel = np.minimum(np.floor(centre), np.subtract(self.seen[2:], 1))
        return ((pixel >= self.core[:2]) & (pixel < self.core[2:])).all(1)


def cut(width: int, height: int, side: int) -> list[Tile]:
    """The tiles of a photo, row by row; one that is no larger than a tile stays whole.

    All have the same size, so that cells are magnified alike; where the photo's side is no multiple
    they share more.

    Args:
        width: of the photo, in pixels.
        height: of the photo, in pixels.
        side: of a tile, in pixels of the photo.

    Raises:
        CellCountError: the side is too small.
    """
    check(side)
    return [
        Tile((x[0], y[0], x[1], y[1]), (x[2], y[2], x[3], y[3]))
        for y in _spans(height, side)
        for x in _spans(width, side)
    ]


def check(side: int) -> None:
    """Refuse tiles that are too small.

    Raises:
        CellCountError: says how large they must be.
    """
    if side < SMALLEST:
        raise CellCountError(
            f"Tiles of {side} pixels are too small: give at least {SMALLEST}, and four times the "
            "length of the longest cell."
        )


def _spans(length: int, side: int) -> list[tuple[int, int, int, int]]:
    """Along one side of the photo: where each tile begins and ends, and where its core does."""
    if length <= side:
        return [(0, length, 0, length)]
    shared = 2 * -(-side // 8)  # even, lest a half be cut off on one side
    gaps = -(-(length - side) // (side - shared))
    starts = [i * (length - side) // gaps for i in range(gaps + 1)]
    middles = [(left + side + right) // 2 for left, right in pairwise(starts)]
    cores = [0, *middles, length]
    return [
        (start, start + side, first, last)
        for start, (first, last) in zip(starts, pairwise(cores), strict=True)
    ]
