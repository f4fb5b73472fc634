"""What a detector finds on labelled photos, each shown to it as it has learned from them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.matching import Prediction
from cellcount.detector.cell_size import side_at_cell_size
from cellcount.detector.recipe import MULTIPLE, Recipe
from cellcount.detector.training import predict
from cellcount.detector.views import View, records_of, views
from cellcount.photos.reading import photo_size


def predict_photos(
    model: Any, shown: Sequence[View], class_map: Any, recipe: Recipe
) -> list[Prediction]:
    """Every box that the detector keeps, beside the labels, in pixels of each photo.

    Args:
        model: the detector.
        shown: the photos; each as a whole, if the recipe brings cells to a size.
        class_map: of their records.
        recipe: that the detector was trained by.
    """
    if (side := recipe.cell_side) is not None:
        return [_at_cell_size(model, one, class_map, recipe, side) for one in shown]
    each = iter(predict(model, records_of(shown), recipe))
    return [one.merged([next(each) for _ in one.records]) for one in shown]


def _at_cell_size(
    model: Any, whole: View, class_map: Any, recipe: Recipe, cell_side: int
) -> Prediction:
    """The boxes at the size at which :mod:`cellcount.counting` will look at such a photo."""
    longest = max(photo_size(whole.photo))

    @cache
    def found(side: int) -> Prediction:
        if side >= longest:
            times = max(1, round(recipe.size * longest / side / MULTIPLE))
            farther = replace(recipe, size=MULTIPLE * times)
            return whole.merged(predict(model, whole.records, farther))
        with TemporaryDirectory() as scratch:
            ((tiled,), _) = views([whole.photo], side, Path(scratch), class_map)
            return tiled.merged(predict(model, tiled.records, recipe))

    def look(side: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return found(side).boxes, found(side).scores

    return found(side_at_cell_size(look, longest, recipe.size, cell_side))
