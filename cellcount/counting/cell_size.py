"""The size at which a detector of any cell is shown a photo.

It has learned from photos of many looks, and nobody says how large the cells of a new one are. So
it sees the photo as a whole, and how large what it finds is, and looks again from nearer or farther
until cells are as large as those that it knows best.
"""

import numpy as np

from cellcount.counting.looking import Seen, Way

_SURE = 0.35  # score of boxes whose size is believed
_NEAR, _FAR = 384 / 1024, 384 / 192  # of the photo's longest side that fill the frame
_LOOKS = 3
_CLOSE = 1.2  # times as large as wanted, or as small: near enough


def at_cell_size(seen: Seen, cell_side: float, threshold: float) -> Way:
    """The way of looking at a photo at which its cells have the size wanted.

    Args:
        seen: the photo, which can be looked ``at`` in other sizes.
        cell_side: how many pixels a side of what the detector is shown its cells shall have.
        threshold: of the scores, above which boxes are found.
    """
    way, side = seen.ways[0], float(seen.longest)
    for _ in range(_LOOKS - 1):
        found = way.find(threshold)
        sure = found.boxes[found.scores >= _SURE]
        if seen.at is None or not len(sure):
            break
        across = np.median(np.sqrt((sure[:, 2:] - sure[:, :2]).prod(axis=1)))
        frame = max(np.atleast_1d(way.engine.img_size))
        wanted = np.clip(across * frame / cell_side, _NEAR * seen.longest, _FAR * seen.longest)
        if max(wanted / side, side / wanted) < _CLOSE:
            break
        side = float(wanted)
        way = seen.at(round(side))
    return way
