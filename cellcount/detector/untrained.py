"""A detector of any cell as it is, for photos that teach it too little."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Prediction
from cellcount.detector.head_start import calibration_of, warm_start
from cellcount.detector.predicting import predict_photos
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import vfnet
from cellcount.detector.views import View

ENOUGH = 10  # labelled cells: fewer say less about new photos than what was learned from others


class Untrained(NamedTuple):
    """A detector, what it finds on photos that it has not learned from, and how it counts others.

    ``calibration`` is None where that is not known.
    """

    model: Any
    found: list[Prediction]
    calibration: Calibration | None

    @property
    def labelled(self) -> int:
        """How many cells the photos show."""
        return sum(len(one.labels) for one in self.found)

    @property
    def suffices(self) -> bool:
        """Whether it counts better as it is than after a training on these photos."""
        return self.labelled < ENOUGH and self.calibration is not None


def as_it_is(shown: Sequence[View], class_map: Any, recipe: Recipe) -> Untrained | None:
    """The head start of a training on few photos; None for several classes: it tells none apart."""
    if recipe.cell_side is None or recipe.head_start is None or len(class_map) > 2:
        return None
    model = vfnet(len(class_map), pretrained=False)
    warm_start(model, recipe.head_start)
    found = predict_photos(model, shown, class_map, recipe)
    return Untrained(model, found, calibration_of(recipe.head_start))
