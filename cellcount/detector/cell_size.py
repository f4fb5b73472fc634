"""The size at which a detector of any cell is shown a photo.

It has learned from photos of many looks, and nobody says how large the cells of a new one are. So
it sees the photo as a whole, and how large what it finds is, and looks again from nearer or farther
until cells are as large as those that it knows best.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cellcount.photos.tiles import SMALLEST

CELL_SIDE = 50  # pixels a side at which it finds cells of all looks best
_SURE = 0.35  # score of boxes whose size is believed
_NEAR, _FAR = 384 / 1024, 384 / 192  # of the photo's longest side that fill the frame
_LOOKS = 3
_CLOSE = 1.2  # times as large as wanted, or as small: near enough

Look = Callable[[int], tuple[NDArray[np.floating], NDArray[np.floating]]]


def side_at_cell_size(look: Look, longest: int, frame: int, cell_side: float) -> int:
    """How many pixels of a photo fill the frame when its cells have the size wanted.

    Args:
        look: finds boxes (n, 4) in pixels of the photo, and their scores (n,), where the frame is
            filled by so many pixels of it: fewer than it has, or more.
        longest: side of the photo, which fills the frame at first.
        frame: pixels a side of what the detector is shown.
        cell_side: pixels a side that cells are to have there.
    """
    side = longest
    for _ in range(_LOOKS - 1):
        boxes, scores = look(side)
        sure = boxes[scores >= _SURE]
        if not len(sure):
            break
        across = np.median(np.sqrt((sure[:, 2:] - sure[:, :2]).prod(axis=1)))
        wanted = np.clip(across * frame / cell_side, _NEAR * longest, _FAR * longest)
        wanted = max(round(float(wanted)), SMALLEST)
        if max(wanted / side, side / wanted) < _CLOSE:
            break
        side = wanted
    return side
