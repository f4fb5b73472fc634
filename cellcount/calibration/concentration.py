"""From cells on photos to cells in a millilitre, with an interval.

Where the interval comes from, as a count of cells on all photos:

* **Counting.** Cells that lie where they please are counted with Poisson's error; the interval is
  exact (Garwood, Biometrika 1936), also where no cell was found.
* **The detector.** The intervals of the photos' counts, added as variances.
* **Pipetting.** A coefficient of variation, as the maker of the pipette states it.
* **Photos.** Two or more photos differ by all of that, and by what nobody thought of. If they
  differ by more than the first two explain, their own scatter (Student's t) takes their place.

The parts are added as squared distances from the count to the ends (Zou & Donner, Statistics in
Medicine 2008).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, norm
from scipy.stats import t as student

from cellcount.calibration.classes import summed
from cellcount.calibration.intervals import Estimate
from cellcount.errors import CellCountError

_LEVEL = 0.95
_MICROLITRES = 1000  # in a millilitre


class Chamber(NamedTuple):
    """A counting chamber: the area of one of its squares in mm², and its depth in mm."""

    area: float
    depth: float

    @property
    def volume(self) -> float:
        """Of what is above one square, in microlitres."""
        return self.area * self.depth


# Squares of 1 mm a side, unless it says another; rulings and depths as their makers state them.
CHAMBERS = {
    "neubauer-improved": Chamber(1.0, 0.1),
    "neubauer-improved-group": Chamber(0.04, 0.1),  # of 25 in the middle
    "buerker": Chamber(1.0, 0.1),
    "thoma": Chamber(1.0, 0.1),  # the whole field, of 400 small squares
    "fuchs-rosenthal": Chamber(1.0, 0.2),  # of 16
    "sedgewick-rafter": Chamber(1.0, 1.0),  # of 1000
}


class Concentration(NamedTuple):
    """Cells in a millilitre, and the ends of the interval of 95 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The concentration as 1.08e+06 (0.9e+06 to 1.3e+06) cells/mL."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g}) cells/mL"


def concentration(
    counts: Sequence[Estimate], volume: float, dilution: float = 1.0, pipetting: float = 0.0
) -> Concentration:
    """The concentration in the sample before it was diluted.

    Args:
        counts: of the photos, each with its interval.
        volume: that a photo shows, in microlitres.
        dilution: how many times the sample was diluted; 2 is one part in two.
        pipetting: coefficient of variation of the volumes that were pipetted, from 0 to 1.

    Raises:
        CellCountError: there is no count, or a number means nothing.
    """
    if not counts:
        raise CellCountError("There is no count to make a concentration of.")
    if not (0 < volume < np.inf and 1 <= dilution < np.inf and 0 <= pipetting < 1):
        raise CellCountError(
            "No concentration comes of these numbers: the volume must be over 0 µL, the dilution 1 "
            "or more, and the pipetting error from 0 to below 100 %."
        )
    found = summed(counts)
    low, high = _poisson(found.n)
    below = np.hypot(found.n - low, found.n - found.low)
    above = np.hypot(high - found.n, found.high - found.n)
    if len(counts) > 1:
        scatter = np.std([one.n for one in counts], ddof=1) * np.sqrt(len(counts))
        wide = student.ppf((1 + _LEVEL) / 2, len(counts) - 1) * scatter
        below, above = max(below, wide), max(above, wide)
    pipetted = norm.ppf((1 + _LEVEL) / 2) * pipetting * found.n
    to_sample = _MICROLITRES * dilution / (volume * len(counts))
    ends = found.n - np.hypot(below, pipetted), found.n + np.hypot(above, pipetted)
    return Concentration(found.n * to_sample, max(0.0, ends[0]) * to_sample, ends[1] * to_sample)


def _poisson(n: int) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which n were seen."""
    rest = (1 - _LEVEL) / 2
    return chi2.ppf(rest, 2 * n) / 2 if n else 0.0, chi2.ppf(1 - rest, 2 * n + 2) / 2
