"""Photos that stand out from the series they were taken in, as when a lamp dims in the middle.

Each figure of the photos, in their order, is put on a control chart for single values: its limits
are the median, plus and minus three standard deviations as the median moving range tells them
(Wheeler and Chambers, Understanding Statistical Process Control, 1992: 3.145 times that range).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.usual import FIGURES

FEWEST = 8  # photos: of less, none can be said to be the odd one
_LIMITS = 3.145
_LEAST = 0.5  # of what photos of one look differ by: closer limits would tell of no change
# How many cells there are may differ in a series, and with it how many are half-sure.
_STEADY = tuple(name for name in FIGURES if name not in ("crowd", "doubt"))


class Chart(NamedTuple):
    """A figure of each photo, NaN where a photo does not tell, and the limits of usual change."""

    values: NDArray[np.floating]
    low: float
    high: float

    @property
    def beyond(self) -> NDArray[np.intp]:
        """The numbers of the photos that lie outside the limits."""
        return np.flatnonzero((self.values < self.low) | (self.values > self.high))


def charts(photos: Sequence[Mapping[str, float]]) -> dict[str, Chart]:
    """The control chart of each figure that the photos tell; none of too few photos.

    Args:
        photos: figures of each, by name, in the order in which the photos were taken.
    """
    made = {}
    for name in _STEADY:
        values = np.array([one.get(name, np.nan) for one in photos])
        told = values[np.isfinite(values)]
        if len(told) < FEWEST:
            continue
        *_, spread = FIGURES[name]
        far = max(_LIMITS * float(np.median(np.abs(np.diff(told)))), _LEAST * spread)
        middle = float(np.median(told))
        made[name] = Chart(values, middle - far, middle + far)
    return made


def standing_out(made: Mapping[str, Chart]) -> dict[int, list[str]]:
    """The numbers of the photos beyond a limit, and what is said of each."""
    reasons: dict[int, list[str]] = {}
    for name, chart in made.items():
        below, above, _ = FIGURES[name]
        for number in chart.beyond.tolist():
            word = below if chart.values[number] < chart.low else above
            if word not in reasons.setdefault(number, []):
                reasons[number].append(word)
    return dict(sorted(reasons.items()))
