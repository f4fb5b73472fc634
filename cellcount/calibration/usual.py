"""What is usual on the photos that a detector has learned from, and which photos are unlike them.

Each figure of a photo, such as its brightness or the size of its cells, is taken for normal with
unknown mean and variance. A new photo is unusual if a figure of it lies outside the interval in
which that of the next photo lies with a probability of 98 %, over all figures together: Student's
predictive distribution with a conjugate prior on the variance (Gelman et al., Bayesian Data
Analysis, 3.3; Bonferroni for the number of figures). With few photos the prior says how much photos
of one look differ: it is the median over six sets of photos.

Light is what differs most easily, and can be undone: ``levels`` are those of the photos learned
from, to which one of other light can be brought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from cellcount.calibration.intervals import LIKELY, Calibration
from cellcount.calibration.matching import Prediction
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.photos.levels import Levels
from cellcount.photos.look import look
from cellcount.photos.reading import photo_size, pixel_size, read_photo

FALSE_ALARMS = 0.02  # of photos like those learned from, that are called unusual
_PRIOR = 2.0  # photos that the prior counts as
_SURE = 0.5  # probability of boxes whose size is believed

# What is told of photos: what it means to be below and above, and how much photos of one look
# differ (standard deviation).
FIGURES = {
    "brightness": ("it is darker", "it is brighter", 0.1),
    "contrast": ("it has less contrast", "it has more contrast", 0.22),
    "sharpness": ("it is blurred", "it is sharper or more noisy", 0.22),
    "pattern": ("its pattern is another", "its pattern is another", 0.11),
    "colours": ("its colour is another", "its colour is another", 0.01),
    "red": ("its colour is another", "its colour is another", 0.013),
    "blue": ("its colour is another", "its colour is another", 0.01),
    "size": ("its cells are smaller", "its cells are larger", 0.19),
    "crowd": ("fewer cells are found", "it is more crowded", 0.46),
    "doubt": ("", "more boxes are half-sure", 0.1),  # surer than usual is no reason for distrust
}
OF_LIGHT = frozenset(word for name in ("brightness", "contrast") for word in FIGURES[name][:2])


@dataclass(frozen=True)
class Usual:
    """Means and standard deviations of figures, each over so many ``photos`` as tell it.

    ``view`` is the longest side, in pixels, of what the detector was shown: of the largest photo,
    or of tiles. ``um_per_px`` is how many micrometres a pixel was wide, if all photos tell.
    ``levels`` are how dark and bright photos were; None in checkpoints of before that was learned.
    """

    means: Mapping[str, float]
    sds: Mapping[str, float]
    photos: Mapping[str, int]
    view: float
    um_per_px: float | None = None
    levels: Levels | None = None

    @classmethod
    def learn(
        cls,
        photos: Sequence[Mapping[str, float]],
        view: float,
        um_per_px: float | None = None,
        levels: Levels | None = None,
    ) -> "Usual":
        """Learn from the figures of each photo; NaN stands for what a photo does not tell."""
        means, sds, numbers = {}, {}, {}
        for name in FIGURES:
            values = np.array([one.get(name, np.nan) for one in photos])
            values = values[np.isfinite(values)]
            if len(values):
                means[name] = float(values.mean())
                sds[name] = float(values.std())
                numbers[name] = len(values)
        return cls(means, sds, numbers, view, um_per_px, levels)

    def unusual(self, figures: Mapping[str, float]) -> tuple[str, ...]:
        """Why a photo is unlike those learned from, the strongest reason first; empty if it is not.

        Args:
            figures: of the photo; NaN stands for what it does not tell.
        """
        tested = [name for name in self.means if np.isfinite(figures.get(name, np.nan))]
        reasons: dict[str, float] = {}
        for name in tested:
            below, above, prior = FIGURES[name]
            photos = self.photos[name]
            freedom = _PRIOR + photos - 1
            most = student.ppf(1 - FALSE_ALARMS / (2 * len(tested)), freedom)
            spread = (_PRIOR * prior**2 + photos * self.sds[name] ** 2) / freedom
            off = (figures[name] - self.means[name]) / np.sqrt(spread * (1 + 1 / photos))
            if abs(off) > most and (word := above if off > 0 else below):
                reasons[word] = max(abs(off) / most, reasons.get(word, 0.0))
        return tuple(sorted(reasons, key=lambda word: -reasons[word]))

    def odd_light(self, look: Mapping[str, float]) -> bool:
        """Whether a look alone, without cells, gives reason to see to the photo's light.

        Fewer figures leave each less room, so no photo whose light :meth:`unusual` names is missed.
        """
        return not OF_LIGHT.isdisjoint(self.unusual(look))

    def misfit(self, figures: Mapping[str, float]) -> float:
        """How far the size of cells is from the usual one (of its logarithm); inf if unknown."""
        off = abs(figures.get("size", np.nan) - self.means.get("size", np.nan))
        return float(off) if np.isfinite(off) else np.inf

    def to_meta(self) -> dict[str, Any]:
        """Plain numbers, for the meta of a checkpoint."""
        return asdict(self)

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Usual":
        """Take what :meth:`to_meta` gave.

        Raises:
            CellCountError: something is missing or is no number.
        """
        try:
            means = {name: float(value) for name, value in meta["means"].items()}
            sds = {name: float(meta["sds"][name]) for name in means}
            photos = {name: int(meta["photos"][name]) for name in means}
            if not means.keys() <= FIGURES.keys():
                raise ValueError("unknown figures")
            um = meta.get("um_per_px")
            seen = meta.get("levels")
            levels = None if seen is None else Levels(float(seen["low"]), float(seen["high"]))
            view = float(meta["view"])
            return cls(means, sds, photos, view, None if um is None else float(um), levels)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CellCountError(
                "What this checkpoint knows about its photos is damaged or of another version. "
                "Save it again with the last cells of train.ipynb."
            ) from error


def learn_usual(
    photos: Sequence[Path],
    found: Sequence[Prediction],
    calibration: Calibration | None,
    tile: int | None,
) -> Usual:
    """What is usual on labelled photos.

    Args:
        photos: each with an XML of its name beside it.
        found: on each, by a detector that has not learned from it; none if that is not known.
        calibration: of the detector.
        tile: pixels a side of the tiles that the detector is shown of larger photos.
    """
    views, figures, levels = [], [], []
    for number, photo in enumerate(photos):
        labels = voc.read(photo.with_suffix(".xml")).boxes
        boxes = np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in labels]).reshape(-1, 4)
        size = photo_size(photo)
        views.append(min(max(size), tile or max(size)))
        told = figures_of(boxes, np.ones(len(boxes)), size, views[-1])
        told["doubt"] = np.nan
        if calibration is not None and found:
            one = found[number]
            guess = figures_of(one.boxes, calibration.probability(one.scores), size, views[-1])
            told["doubt"] = guess["doubt"]
        shown = read_photo(photo)
        levels.append(Levels.of(shown))
        figures.append(look(shown, tile) | told)
    pixels = [pixel_size(photo) for photo in photos]
    known = [one for one in pixels if one is not None]
    um_per_px = float(np.median(known)) if len(known) == len(pixels) else None
    return Usual.learn(figures, float(max(views)), um_per_px, Levels.usual(levels))


def figures_of(
    boxes: NDArray[np.floating],
    probability: NDArray[np.floating],
    size: tuple[int, int],
    view: float,
) -> dict[str, float]:
    """The figures of a photo that its boxes tell.

    Args:
        boxes: (n, 4), in pixels of the photo.
        probability: (n,), how likely each is a cell.
        size: (width, height) of the photo.
        view: side of what the detector is shown of it, in pixels of the photo.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(1)
    across = 0.5 * np.log(sides.prod(axis=1)) - np.log(view)
    sure, likely = probability >= _SURE, probability[probability >= LIKELY]
    cells = likely.sum()
    return {
        "size": float(np.median(across[sure])) if sure.any() else np.nan,
        "crowd": float(np.log((cells + 0.5) * view**2 / (size[0] * size[1]))),
        "doubt": float((likely * (1 - likely)).sum() / cells) if cells else np.nan,
    }
