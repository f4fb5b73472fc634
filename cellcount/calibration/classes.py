"""Counts of several classes: their calibrations, their sums, and shares with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cellcount.calibration.intervals import Calibration, Estimate
from cellcount.calibration.matching import Prediction, classes_of, match
from cellcount.errors import CellCountError

_FEW, _PHOTOS = 10, 3  # labelled cells, and photos that show them: a class with less borrows
_Z = 1.96  # standard deviations from the middle of a normal distribution to the ends of 95 % of it


class Share(NamedTuple):
    """Which part of the cells is of a class, and the interval of that; all from 0 to 1."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The share in percent, as 8 % (5 to 12 %)."""
        if np.isnan(self.value):
            return "unknown, for no cell was counted"
        return f"{100 * self.value:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f} %)"


def learn_by_class(found: Sequence[Prediction]) -> dict[str, Calibration]:
    """A calibration of each class with enough labels that is found well enough.

    The others are to be counted with that of all cells.

    A box on a cell of another class is a false alarm here, and a cell that was found as another
    class is a missed one: what classes are taken for each other is part of what is learned.

    Args:
        found: on each validation photo, all candidates; {} is returned if they have no classes.
    """
    learned = {}
    for name in classes_of(found):
        own = [match(one.only(name)) for one in found]
        labelled = [one.labelled for one in own]
        if sum(labelled) < _FEW or np.count_nonzero(labelled) < _PHOTOS:
            continue
        try:
            calibration = Calibration.learn(own)
        except CellCountError:  # not one box of that class was found
            continue
        if calibration.explains:
            learned[name] = calibration
    return learned


def apportion(n: int, parts: Sequence[float]) -> list[int]:
    """Whole numbers that add up to ``n``, in the proportions of ``parts`` (largest remainders)."""
    weights = np.asarray(parts, dtype=float)
    if not weights.sum():
        weights = np.ones(len(weights))
    exact = n * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    most = np.argsort(whole - exact, kind="stable")[: n - whole.sum()]
    whole[most] += 1
    return whole.tolist()


def summed(estimates: Sequence[Estimate]) -> Estimate:
    """The sum of counts that err independently, with its interval.

    The distances from counts to ends of intervals add up as standard deviations do: the method of
    variance estimates recovery, Zou & Donner, Statistics in Medicine 2008.
    """
    n = sum(one.n for one in estimates)
    below = np.sqrt(sum((one.n - one.low) ** 2 for one in estimates))
    above = np.sqrt(sum((one.high - one.n) ** 2 for one in estimates))
    return Estimate(n, max(0, round(n - below)), round(n + above))


def share(some: Sequence[Estimate], others: Sequence[Estimate]) -> Share:
    """The share of some cells among all, in the culture that the photos are a sample of.

    It is Wilson's interval (JASA 1927), which is right at 0 and at 100 % too, for as many cells as
    would leave it as unsure as it is: the counts' own intervals add to what chance leaves open, as
    the design effect of a survey does (Kish, Survey Sampling, 1965).

    Args:
        some: counts of the classes whose share it is.
        others: counts of the other classes.
    """
    mine, rest = summed(some), summed(others)
    total = mine.n + rest.n
    if not total:
        return Share(np.nan, 0.0, 1.0)
    p, near = mine.n / total, (mine.n + 2) / (total + 4)  # near: never 0 or 1
    chance = near * (1 - near) / total
    ours, theirs = ((one.high - one.low) / (2 * _Z) for one in (mine, rest))
    counting = (((1 - near) * ours) ** 2 + (near * theirs) ** 2) / total**2
    cells = total * chance / (chance + counting)
    centre = (p + _Z**2 / (2 * cells)) / (1 + _Z**2 / cells)
    half = _Z * np.sqrt(p * (1 - p) / cells + (_Z / (2 * cells)) ** 2) / (1 + _Z**2 / cells)
    return Share(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)))
