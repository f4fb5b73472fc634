"""How right are boxes and counts: precision, recall and F1 at each threshold; errors of counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.matching import Match
from cellcount.errors import CellCountError


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 of all photos together at each ``threshold``; all (k,), falling.

    There is one threshold below each score that occurs, halfway to the next lower one.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    @property
    def best_threshold(self) -> float:
        """Where F1 is highest; of several such thresholds the middle one."""
        best = np.flatnonzero(self.f1 == self.f1.max())
        return float(self.threshold[best[len(best) // 2]])


def curve(matches: Sequence[Match]) -> Curve:
    """Precision, recall and F1 against the threshold.

    Raises:
        CellCountError: nothing is labelled, or nothing was found at all.
    """
    need_labels(sum(one.labelled for one in matches))
    scores = np.concatenate([one.scores for one in matches]).astype(float)
    matched = np.concatenate([one.matched for one in matches])
    if not len(scores):
        raise CellCountError(
            "The detector found nothing on these photos, not even unlikely boxes: train it longer."
        )
    order = np.argsort(-scores)
    scores, hits = scores[order], matched[order].cumsum()
    last = np.flatnonzero(np.diff(scores, append=-1.0))  # no threshold parts equal scores
    distinct = scores[last]
    found, hits, labelled = last + 1, hits[last], sum(one.labelled for one in matches)
    return Curve(
        threshold=(distinct + np.append(distinct[1:], 0.0)) / 2,
        precision=hits / found,
        recall=hits / labelled,
        f1=2 * hits / (found + labelled),
    )


@dataclass(frozen=True)
class CountAccuracy:
    """How right counts are, over ``photos`` photos; an error is predicted minus labelled.

    ``share_off`` is the sum of all absolute errors in percent of all labelled cells, which photos
    of few cells do not distort. ``mape`` is the mean of each photo's percentage, over those that
    have labelled cells: the ``without_cells`` others have no percentage. ``bias`` is the mean error
    and ``limits`` are the limits of agreement, bias ± 1.96 standard deviations, between which 95 %
    of errors lie if they are normal (Bland & Altman, Lancet 1986). ``r2`` is the coefficient of
    determination about the diagonal: 1 if every count is right, below 0 if the mean label would do
    better. What so few photos do not define is NaN.
    """

    photos: int
    without_cells: int
    mean_absolute_error: float
    share_off: float
    mape: float
    bias: float
    limits: tuple[float, float]
    r2: float


def count_accuracy(predicted: Sequence[int], labelled: Sequence[int]) -> CountAccuracy:
    """Compare one predicted and one labelled count a photo.

    Raises:
        ValueError: there are no photos, or not as many of either.
    """
    truth = np.asarray(labelled, dtype=float)
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(f"{len(predicted)} counts for {len(truth)} labelled photos")
    counted = np.asarray(predicted, dtype=float)
    error, some = counted - truth, truth > 0
    reach = 1.96 * error.std(ddof=1) if len(error) > 1 else np.nan
    spread = np.sum((truth - truth.mean()) ** 2)
    return CountAccuracy(
        photos=len(truth),
        without_cells=int(np.sum(~some)),
        mean_absolute_error=float(np.abs(error).mean()),
        share_off=float(100 * np.abs(error).sum() / truth.sum()) if some.any() else np.nan,
        mape=percentage_error(list(counted[some]), list(truth[some])) if some.any() else np.nan,
        bias=float(error.mean()),
        limits=(float(error.mean() - reach), float(error.mean() + reach)),
        r2=float(1 - np.sum(error**2) / spread) if spread else np.nan,
    )


def count_threshold(scores: Sequence[NDArray[np.floating]], labelled: Sequence[int]) -> float:
    """The score above which as many boxes lie as people labelled, over all photos together.

    It makes the mean absolute percentage error of the counts smallest; of several equally good
    thresholds the middle one is taken.

    Args:
        scores: for each labelled photo, the scores of all its boxes.
        labelled: for each photo, the number of labelled cells.

    Raises:
        ValueError: there is no photo with a labelled cell, or the lengths differ.
    """
    if len(scores) != len(labelled):
        raise ValueError(f"{len(scores)} photos have scores, but {len(labelled)} have labels")
    truth = np.asarray(labelled)
    if not truth.any():
        raise ValueError("no photo has a labelled cell, so no threshold can be found")
    candidates = np.linspace(0.05, 0.95, 181)
    counts = np.array([[np.sum(photo > t) for photo in scores] for t in candidates])
    # A photo without cells has no percentage; one false alarm on it weighs like one cell.
    errors = np.mean(np.abs(counts - truth) / np.maximum(truth, 1), axis=1)
    best = np.flatnonzero(errors == errors.min())
    return float(candidates[best[len(best) // 2]])


def percentage_error(counted: Sequence[int], labelled: Sequence[int]) -> float:
    """Mean absolute percentage error of counts, in percent of each photo's labelled count.

    Raises:
        ValueError: a photo has no labelled cell, so its percentage is undefined.
    """
    truth = np.asarray(labelled, dtype=float)
    if not truth.all():
        raise ValueError("a photo without labelled cells has no percentage error")
    return float(100 * np.mean(np.abs(np.asarray(counted) - truth) / truth))


def need_labels(number: int) -> None:
    """Refuse to compare with no labels at all."""
    if not number:
        raise CellCountError(
            "No photo has a labelled cell, so nothing can be compared: label some in labelImg."
        )
