"""Of the ways in which a photo can be looked at, the one that suits it best."""

from typing import NamedTuple

import numpy as np

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.usual import OF_LIGHT, Usual
from cellcount.counting.cell_size import at_cell_size
from cellcount.counting.detections import Detections
from cellcount.counting.looking import Seen, Way


class Unlike(NamedTuple):
    """Why a photo is unlike those learned from, if it is, and the figures that say so."""

    why: tuple[str, ...]
    figures: dict[str, float]


class Best(NamedTuple):
    """What is found in the best way; ``unlike`` is None if nothing is known of usual photos."""

    found: Detections
    way: Way
    unlike: Unlike | None


def best_look(
    seen: Seen,
    threshold: float,
    usual: Usual | None,
    calibration: Calibration | None,
    cell_side: float | None,
) -> Best:
    """Look in one way after the other until the photo is usual; else take the least unusual way.

    In the levels of the photos learned from it is looked at only if it is odd for its light.

    Args:
        seen: the photo.
        threshold: of the scores.
        usual: what photos learned from look like.
        calibration: how likely boxes are cells.
        cell_side: pixels at which a detector of any cell knows cells best: it looks until they are
            as large.
    """
    ways = [at_cell_size(seen, cell_side, threshold)] if cell_side and seen.at else seen.ways
    looked: list[tuple[bool, bool, float, int, Best, Unlike]] = []
    reasons: set[str] = set()
    for way in ways:
        if way.matched and OF_LIGHT.isdisjoint(reasons):
            break
        found = way.find(threshold)
        if usual is None:
            return Best(found, way, None)
        sure = found.scores if calibration is None else calibration.probability(found.scores)
        figures = way.figures(found.boxes, sure)
        if calibration is None:
            figures["doubt"] = np.nan
        unlike = Unlike(usual.unusual(figures), figures)
        order = bool(unlike.why), way.matched, usual.misfit(figures), len(looked)
        looked.append((*order, Best(found, way, unlike), unlike))
        if not unlike.why:
            break
        reasons |= {*unlike.why}
    *_, best, unlike = min(looked)
    if best.way.matched:  # a series of photos is charted in its own light
        for name in ("brightness", "contrast"):
            unlike.figures[name] = seen.ways[0].look[name]
    return best
