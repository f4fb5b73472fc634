"""What a detector finds on labelled photos, each shown to it as it has learned from them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cellcount.calibration.matching import Prediction
from cellcount.detector.cell_size import side_at_cell_size
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import predict
from cellcount.detector.views import View, records_of, views
from cellcount.photos.reading import photo_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def predict_photos(
    model: Any, shown: Sequence[View], class_map: Any, recipe: Recipe
) -> list[Prediction]:
    """Every box that the detector keeps, beside the labels, in pixels of each photo.

    Args:
        model: the detector.
        shown: the photos.
        class_map: of their records.
        recipe: that the detector was trained by.
    """
    if recipe.cell_side is not None:
        return [_at_cell_size(model, one.photo, class_map, recipe) for one in shown]
    each = iter(predict(model, records_of(shown), recipe))
    return [one.merged([next(each) for _ in one.records]) for one in shown]


def _at_cell_size(model: Any, photo: Path, class_map: Any, recipe: Recipe) -> Prediction:
    """The boxes at the size at which :mod:`cellcount.counting` will look at such a photo."""
    longest = max(photo_size(photo))

    @cache
    def found(side: int) -> Prediction:
        with TemporaryDirectory() as scratch:
            tile = side if side < longest else None
            ((view,), _) = views([photo], tile, Path(scratch), class_map)
            size = round(recipe.size * min(longest / side, 1))
            return view.merged(predict(model, view.records, replace(recipe, size=size)))

    def look(side: int) -> "tuple[NDArray[np.floating], NDArray[np.floating]]":
        return found(side).boxes, found(side).scores

    assert recipe.cell_side is not None
    return found(side_at_cell_size(look, longest, recipe.size, recipe.cell_side))
