"""The way of looking at a photo at which its cells have the size that a detector knows best."""

import numpy as np
from numpy.typing import NDArray

from cellcount.counting.looking import Seen, Way
from cellcount.detector.cell_size import side_at_cell_size


def at_cell_size(seen: Seen, cell_side: float, threshold: float) -> Way:
    """Look at a photo from nearer or farther: :mod:`cellcount.detector.cell_size`.

    Args:
        seen: the photo, which can be looked ``at`` in other sizes.
        cell_side: how many pixels a side of what the detector is shown its cells shall have.
        threshold: of the scores, above which boxes are found.
    """

    def way(side: int) -> Way:
        return seen.ways[0] if seen.at is None or side == seen.longest else seen.at(side)

    def look(side: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        found = way(side).find(threshold)
        return found.boxes, found.scores

    frame = max(np.atleast_1d(seen.ways[0].engine.img_size))
    return way(side_at_cell_size(look, seen.longest, frame, cell_side))
