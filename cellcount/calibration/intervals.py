"""Learn from a few validation photos how to turn scores into a count with an interval.

Validation photos are labelled photos that the detector has not been trained on. On those it was
trained on its scores are higher and its errors smaller, and all below would promise too much.

**The count.** Platt scaling makes a score the probability that its box is a cell. A photo's
expected number of cells is the sum of these over its candidates, without those less likely than
one in five; a correction for cells that have no candidate, or an unlikely one, multiplies it.
Half-sure boxes count half, so no box at the edge of a threshold decides; on simulated detectors
that counts better than the learned threshold, most of all where cells are missed
(test_calibration.py).

**The interval.** On photo i with expectation e and labelled count N the model is

    N = r e + error,  error ~ Normal(0, v + t² e²),  v = sum of p (1 - p) + 1/2

v is what the scores leave open (the variance of a Poisson-binomial count, and half a cell lest an
empty photo be certain), t how much photos differ beyond that, r the correction. The priors
r ~ Normal(1, 0.25²) and t ~ half-Cauchy(0.1) pull towards "count as the probabilities say" and
"photos differ by a tenth". That is the random-effects model of meta-analysis with its predictive
distribution (Higgins, Thompson & Spiegelhalter 2009; the prior on t as in Gelman 2006): with three
photos the priors still matter and the interval is wide, with twelve the photos speak. A count is
never negative, and photos differ by factors: so for each t what is predicted, and half a cell lest
the logarithm of nothing be needed, is taken for log-normal, with the mean and variance that the
model gives it. Where t is small that is the normal distribution; where photos differ twofold, it is
from half to twice and not from nothing to thrice.

**Cross-fitting.** Each photo's e and v come from a Platt scaling that has not seen that photo, so
neither r nor t mistakes fitting for knowing. The error in ``held_out`` goes one step further: the
whole calibration is learned again without the photo.

**Why not without a model.** Distribution-free intervals from k photos (split conformal, Vovk et
al. 2005) can promise to cover k / (k + 1) of new photos and no more: 95 % needs 19 photos.
The interval therefore trusts that new photos come as the validation photos did, that errors are
roughly log-normal, and that photos err independently. It does not cover photos unlike those,
another microscope or person, labels that are wrong, or cells nobody can see. A photo whose whole
scale of scores is shifted is covered as far as the validation photos show such shifts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit, ndtr

from cellcount.calibration.accuracy import CountAccuracy, count_accuracy, count_threshold, curve
from cellcount.calibration.matching import Match
from cellcount.errors import CellCountError

LIKELY = 0.2  # Hundreds of boxes less likely than this add up to cells where there is only clutter.
_FOLDS = 10
_UNEXPLAINED = 50.0  # percent off on its own photos, from which a calibration is worth nothing
_CORRECTION_SD = 0.25
_HALF = 0.5  # cells, added where the logarithm of a count is taken
_PHOTO_SD = 0.1 * np.tan(np.pi / 2 * (np.arange(60) + 0.5) / 60)  # (60,), equal parts of the prior


class Estimate(NamedTuple):
    """A count and the interval in which the true number lies; low <= n <= high."""

    n: int
    low: int
    high: int


@dataclass(frozen=True)
class Calibration:
    """What the validation photos taught; see the module for the model.

    ``threshold`` makes the number of boxes above it right, ``threshold_f1`` the boxes themselves.
    ``slope`` and ``intercept`` turn the logit of a score into that of a probability. ``expected``,
    ``variance`` and ``labelled`` are e, v and N of each validation photo. ``held_out`` is how each
    photo was counted by a calibration that had not seen it.
    """

    threshold: float
    threshold_f1: float
    slope: float
    intercept: float
    expected: tuple[float, ...]
    variance: tuple[float, ...]
    labelled: tuple[int, ...]
    held_out: tuple[Estimate, ...] = ()

    @classmethod
    def learn(cls, photos: Sequence[Match]) -> "Calibration":
        """Learn from one match a photo, with all its candidates, also the unlikely ones.

        Three photos are few, one is allowed. Candidates must be found as they will be when
        counting: by the same detector, down to the same low score.

        Raises:
            CellCountError: nothing is labelled, or the detector found nothing at all.
        """
        labelled = [photo.labelled for photo in photos]
        best = curve(photos).best_threshold
        right = count_threshold([photo.scores for photo in photos], labelled)
        learned = cls(right, best, **_learn_counting(photos))
        held_out: dict[int, Estimate] = {}
        for fold in _folds(len(photos)):
            others = [photo for i, photo in enumerate(photos) if i not in fold]
            blind = replace(learned, **_learn_counting(others))
            held_out |= {i: blind.count(photos[i].scores) for i in fold}
        return replace(learned, held_out=tuple(held_out[i] for i in range(len(photos))))

    def of_one_photo(self) -> "Calibration":
        """The same if what it was learned from are the parts of a single photo.

        They agree with each other more than photos do, so they say nothing of how photos differ.
        """
        whole = Estimate(*(sum(each) for each in zip(*self.held_out, strict=True)))
        return replace(
            self,
            expected=(sum(self.expected),),
            variance=(sum(self.variance),),
            labelled=(sum(self.labelled),),
            held_out=(whole,),
        )

    def probability(self, scores: ArrayLike) -> NDArray[np.float64]:
        """(n,), how likely it is that each box of these scores (n,) is a cell of its own."""
        return expit(self.slope * _logit(scores) + self.intercept)

    @property
    def correction(self) -> float:
        """r, which multiplies expectations: above 1 if cells have no likely candidate."""
        weight, mean, _ = self._posterior()
        return float(weight @ mean)

    @property
    def accuracy(self) -> CountAccuracy:
        """How right the counts of photos are that were left out of the learning."""
        return count_accuracy([one.n for one in self.held_out], self.labelled)

    @property
    def explains(self) -> bool:
        """Whether it counts at least half of the cells right on the photos that taught it."""
        return self.accuracy.share_off <= _UNEXPLAINED

    def count(self, scores: ArrayLike, level: float = 0.95) -> Estimate:
        """Count a photo from the scores (n,) of all its candidates.

        The ``n`` boxes of highest score are the ones to draw: picture and number then agree.

        Args:
            scores: found as for :meth:`learn`.
            level: how probable it is that the true number lies from low to high.

        Raises:
            CellCountError: ``level`` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise CellCountError(f"An interval of level {level} cannot be: 0.95 is 95 %.")
        expected, variance = _expectation(self.probability(scores))
        weight, mean, spread = self._posterior()
        centre = mean * expected + _HALF
        spread = variance + (spread + _PHOTO_SD**2) * expected**2
        of_log = np.log1p(spread / centre**2)  # variance of the logarithm of the count
        middle, sd = np.log(centre) - of_log / 2, np.sqrt(of_log)

        def quantile(share: float) -> float:
            ends = (middle - 9 * sd).min(), (middle + 9 * sd).max()
            return np.exp(brentq(lambda x: weight @ ndtr((x - middle) / sd) - share, *ends)) - _HALF

        n = round(self.mean(scores))
        low, high = quantile((1 - level) / 2), quantile((1 + level) / 2)
        return Estimate(n, min(n, max(0, round(low))), max(n, round(high)))

    def mean(self, scores: ArrayLike) -> float:
        """The count of :meth:`count` before it is rounded."""
        return self.correction * _expectation(self.probability(scores))[0]

    def _posterior(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """For each t of the grid: its probability, and mean and variance of r."""
        e, v = np.array(self.expected)[:, None], np.array(self.variance)[:, None]
        labelled, prior = np.array(self.labelled)[:, None], _CORRECTION_SD**-2
        precision = 1 / (v + (_PHOTO_SD * e) ** 2)  # of each photo (row) at each t (column)
        total = prior + np.sum(precision * e**2, axis=0)
        mean = (prior + np.sum(precision * e * labelled, axis=0)) / total
        misfit = prior * (mean - 1) ** 2 + np.sum(precision * (labelled - mean * e) ** 2, axis=0)
        log = (np.log(precision).sum(axis=0) - np.log(total) - misfit) / 2
        weight = np.exp(log - log.max())
        return weight / weight.sum(), mean, 1 / total

    def to_meta(self) -> dict[str, Any]:
        """Plain numbers and lists, for the meta of a checkpoint."""
        meta = asdict(self)
        lists = {name: list(meta[name]) for name in ("expected", "variance", "labelled")}
        return {**meta, **lists, "held_out": [list(one) for one in self.held_out]}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Calibration":
        """Take what :meth:`to_meta` gave.

        Raises:
            CellCountError: something is missing or is no number.
        """
        single = ("threshold", "threshold_f1", "slope", "intercept")
        try:
            numbers = {name: float(meta[name]) for name in single}
            photos = zip(meta["expected"], meta["variance"], meta["labelled"], strict=True)
            e, v, labelled = zip(*((float(e), float(v), int(n)) for e, v, n in photos), strict=True)
            held_out = tuple(Estimate(*map(int, one)) for one in meta["held_out"])
            if not np.isfinite([*numbers.values(), *e, *v]).all():
                raise ValueError("not finite")
        except (KeyError, TypeError, ValueError) as error:
            raise CellCountError(
                "The calibration in this checkpoint is damaged or of another version. Save the "
                "checkpoint again with the last cells of train.ipynb."
            ) from error
        return cls(**numbers, expected=e, variance=v, labelled=labelled, held_out=held_out)


def _learn_counting(photos: Sequence[Match]) -> dict[str, Any]:
    slope, intercept = _platt(photos)
    moments: dict[int, tuple[float, float]] = {}
    for fold in _folds(len(photos)):
        others = [photo for i, photo in enumerate(photos) if i not in fold]
        a, b = _platt(others or photos)  # a single photo has no others; the prior has to do
        for i in fold:
            moments[i] = _expectation(expit(a * _logit(photos[i].scores) + b))
    both = [moments[i] for i in range(len(photos))]
    return {
        "slope": slope,
        "intercept": intercept,
        "expected": tuple(e for e, _ in both),
        "variance": tuple(v for _, v in both),
        "labelled": tuple(photo.labelled for photo in photos),
    }


def _folds(photos: int) -> list[range]:
    """Leave out one photo at a time, or a tenth of them where there are more than ten."""
    return [range(first, photos, _FOLDS) for first in range(min(photos, _FOLDS))]


def _expectation(probability: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance of the number of cells among candidates of these probabilities (n,)."""
    p = probability[probability >= LIKELY]
    return float(p.sum()), float(np.sum(p * (1 - p)) + 0.5)


def _platt(photos: Sequence[Match]) -> tuple[float, float]:
    """Slope and intercept of the log-odds of being a cell, over the logit of the score.

    The targets are a little inside 0 and 1, as if each outcome had been seen once more; that keeps
    the fit finite where scores part cells from clutter cleanly. Without boxes, the score is taken
    for the probability.
    Platt, Probabilistic outputs for support vector machines, 1999.
    """
    scores = np.concatenate([np.empty(0), *(photo.scores for photo in photos)])
    matched = np.concatenate([np.empty(0, bool), *(photo.matched for photo in photos)])
    if not len(scores):
        return 1.0, 0.0
    x, cells = _logit(scores), matched.sum()
    target = np.where(matched, (cells + 1) / (cells + 2), 1 / (len(scores) - cells + 2))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = weights[0] * x + weights[1]
        slope = expit(odds) - target
        return np.logaddexp(0, odds).sum() - target @ odds, np.array([slope @ x, slope.sum()])

    # A higher score never makes a cell less likely.
    fit = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(fit.x[0]), float(fit.x[1])


def _logit(scores: ArrayLike) -> NDArray[np.float64]:
    return logit(np.clip(np.asarray(scores, dtype=float), 1e-6, 1 - 1e-6))
