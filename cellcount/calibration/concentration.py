"""From cells on photos to cells in a millilitre, or on a square millimetre, with an interval.

Where the interval comes from, as a count of cells on all photos:

* **Counting.** Cells that lie where they please are counted with Poisson's error; the interval is
  exact (Garwood, Biometrika 1936), also where no cell was found.
* **The detector.** The intervals of the photos' counts, added as variances.
* **Pipetting.** A coefficient of variation, as the maker of the pipette states it.
* **Photos.** Two or more photos differ by all of that, and by what nobody thought of. If their
  standard deviation is larger than the first two explain, their own scatter (Student's t) takes
  their place. Simulated with some 40 cells a photo, 95 % of the intervals and more hold the truth
  where photos differ by up to 10 %. Few photos say little of how much they differ: by 30 %, 87 % of
  the intervals of two photos hold it, 92 % of three and 95 % of eight.

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
_Z = norm.ppf((1 + _LEVEL) / 2)
_MICROLITRES = 1000  # in a millilitre


class Chamber(NamedTuple):
    """A counting chamber: the area of one of its squares in mm², and its depth in mm."""

    area: float
    depth: float

    @property
    def volume(self) -> float:
        """Of what is above one square, in microlitres."""
        return self.area * self.depth


# Squares of 1 mm a side, unless it says another. Rulings and depths as
# https://hemocytometer.org/hemocytometer-grid-types has them; depths other than these are sold too.
CHAMBERS = {
    "neubauer-improved": Chamber(1.0, 0.1),
    "neubauer-improved-group": Chamber(0.04, 0.1),  # of 25 in the middle
    "buerker": Chamber(1.0, 0.1),
    "thoma": Chamber(1.0, 0.1),  # the whole field, of 400 small squares
    "fuchs-rosenthal": Chamber(1.0, 0.2),  # of 16
    "sedgewick-rafter": Chamber(1.0, 1.0),  # of 1000
    # As their makers have them.
    "malassez": Chamber(0.05, 0.2),  # a rectangle, 0.25 mm by 0.2 mm, of 100
}


class _Cells(NamedTuple):
    """Cells in or on so much of a sample, and the ends of the interval of 95 %."""

    value: float
    low: float
    high: float

    @property
    def unit(self) -> str:
        """What they are told in."""
        raise NotImplementedError

    def __str__(self) -> str:
        """The number as 1.08e+06 (9e+05 to 1.3e+06) and its unit."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g}) {self.unit}"


class Concentration(_Cells):
    """Cells in a millilitre, and the ends of the interval of 95 %."""

    unit = "cells/mL"


class Density(_Cells):
    """Cells on a square millimetre, and the ends of the interval of 95 %."""

    unit = "cells/mm²"


def density(counts: Sequence[Estimate], area: float) -> Density:
    """Cells on an area.

    Args:
        counts: of the photos, each with its interval.
        area: of all photos together, in square millimetres.

    Raises:
        CellCountError: there is no count, or the area means nothing.
    """
    if not 0 < area < np.inf:
        raise CellCountError(f"An area of {area:g} mm² means nothing: give a number over 0.")
    return Density(*(one / area for one in _summed(counts, 0.0)))


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
    if not (0 < volume < np.inf and 1 <= dilution < np.inf and 0 <= pipetting < 1):
        raise CellCountError(
            "No concentration comes of these numbers: the volume must be over 0 µL, the dilution 1 "
            "or more, and the pipetting error from 0 to below 100 %."
        )
    found = _summed(counts, pipetting)
    to_sample = _MICROLITRES * dilution / (volume * len(counts))
    return Concentration(*(one * to_sample for one in found))


def _summed(counts: Sequence[Estimate], pipetting: float) -> tuple[float, float, float]:
    """All cells, and the ends of their interval; see the module."""
    if not counts:
        raise CellCountError("There is no count to make a concentration or a density of.")
    found = summed(counts)
    low, high = _poisson(found.n)
    below = np.hypot(found.n - low, found.n - found.low)
    above = np.hypot(high - found.n, found.high - found.n)
    if len(counts) > 1:
        scatter = np.std([one.n for one in counts], ddof=1) * np.sqrt(len(counts))
        if scatter > (below + above) / 2 / _Z:
            wide = student.ppf((1 + _LEVEL) / 2, len(counts) - 1) * scatter
            below, above = max(below, wide), max(above, wide)
    pipetted = _Z * pipetting * found.n
    ends = found.n - np.hypot(below, pipetted), found.n + np.hypot(above, pipetted)
    return found.n, max(0.0, ends[0]), ends[1]


def _poisson(n: int) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which n were seen."""
    rest = (1 - _LEVEL) / 2
    return chi2.ppf(rest, 2 * n) / 2 if n else 0.0, chi2.ppf(1 - rest, 2 * n + 2) / 2
