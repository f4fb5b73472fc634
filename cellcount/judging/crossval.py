"""Train and judge on the same labelled photos, honestly: each photo by who has not seen it."""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.bars import Bar
from cellcount.calibration.classes import learn_by_class
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Prediction, classes_of, match
from cellcount.counting.count import Count
from cellcount.detector.finetuning import (
    MINUTES,
    cross_fit,
    folds_of,
    read_off,
    steps_of,
    within,
)
from cellcount.detector.recipe import Recipe
from cellcount.detector.views import views
from cellcount.errors import CellCountError
from cellcount.judging.evaluation import Evaluation, evaluate
from cellcount.labels.confirmed import labelled_photos


class Judged(NamedTuple):
    """How right photos are counted by detectors that have not seen them.

    ``found`` and ``thresholds`` are of each of ``photos``; a training took ``seconds``.
    """

    result: Evaluation
    photos: list[Path]
    found: list[Prediction]
    thresholds: NDArray[np.float64]
    seconds: float


def cross_validate(
    folder: str | Path,
    *,
    folds: int = 4,
    recipe: Recipe | None = None,
    minutes: float = MINUTES,
    seed: int = 0,
) -> Judged:
    """Train ``folds`` times as :func:`finetune` does, each time without some of the photos.

    Every photo is predicted once, by the detector that has not seen it. Threshold and calibration
    of a fold are learned from the predictions of the other folds: never from the photos that are
    counted with them, nor by a detector on photos it was trained on.

    Args:
        folder: labelled photos.
        folds: how many trainings; each leaves out about as many photos as the others.
        recipe: how to train; read off the labels if left out.
        minutes: that the trainings may take together.
        seed: decides who is left out when, and all chance in the trainings.

    Raises:
        CellCountError: there are less photos than folds, or less than two folds.
    """
    photos = labelled_photos(folder)
    if len(photos) < 2:
        raise CellCountError(
            f"{folder} has one labelled photo: label another, for each is judged by the others."
        )
    if not 2 <= folds <= len(photos):
        raise CellCountError(
            f"{len(photos)} labelled photos cannot be cut into {folds} parts: take from 2 to "
            f"{len(photos)} folds."
        )
    recipe = read_off(photos) if recipe is None else recipe
    parts = folds_of(len(photos), seed, folds)
    with TemporaryDirectory() as scratch:
        shown, class_map = views(photos, recipe.tile, Path(scratch))
        recipe = within(recipe, shown, class_map, minutes / folds)
        print(recipe)
        start = time.perf_counter()
        steps = steps_of(shown, recipe, parts)
        with Bar(total=steps, unit="step", desc="Training") as bar:
            found = cross_fit(shown, class_map, recipe, parts, seed=seed, bar=bar)
        seconds = (time.perf_counter() - start) / folds
    thresholds, counts = _count(found, parts)
    result = evaluate(found, thresholds.tolist(), counts=counts)
    return Judged(result, photos, found, thresholds, seconds)


def _count(
    photos: Sequence[Prediction], parts: Sequence[Sequence[int]]
) -> tuple[NDArray[np.float64], list[Count]]:
    """Threshold and count of each photo, learned from the photos of the other parts."""
    thresholds = np.zeros(len(photos))
    counts: dict[int, Count] = {}
    matches, names = [match(one.classless) for one in photos], classes_of(photos)
    for part in parts:
        others = [i for i in range(len(photos)) if i not in part]
        calibration = Calibration.learn([matches[i] for i in others])
        own = learn_by_class([photos[i] for i in others])
        for i in part:
            one = photos[i]
            thresholds[i] = calibration.threshold_f1
            counts[i] = Count.of(
                one.photo,
                one.boxes,
                one.scores,
                calibration,
                kinds=one.box_classes,
                by_class={name: own.get(name, calibration) for name in names},
            )
    return thresholds, [counts[i] for i in range(len(photos))]
