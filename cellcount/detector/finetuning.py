"""The training of train.ipynb in one call: from labelled photos to a checkpoint that counts.

**No photo is wasted.** The detector learns from all labelled photos. Threshold and calibration must
come from photos that it has not learned from, so they are learned from detectors that were trained
without some of the photos and then predicted those: cross-fitting, the stacking of Wolpert 1992.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from cellcount.bars import Bar
from cellcount.calibration.classes import learn_by_class
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Prediction, match
from cellcount.calibration.usual import Usual, learn_usual
from cellcount.detector.head_start import STARTS, best_of, f1, finds_any_cell, warm_start
from cellcount.detector.predicting import predict_photos
from cellcount.detector.provenance import checkpoint_meta
from cellcount.detector.recipe import Recipe, rare_classes
from cellcount.detector.training import seconds_a_step, trained, vfnet
from cellcount.detector.untrained import ENOUGH, as_it_is
from cellcount.detector.views import View, records_of, views
from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels.confirmed import labelled_photos
from cellcount.labels.parts import cut_in_quarters

FOLDS = 3
_FEW = 5  # photos that teach a detector of any cell to find these, rather than a new one
_LESS = 0.05  # of F1 at most, that is found by who has learned from some photos instead of all
_FEWEST = 100  # steps, however slow the computer: less teaches nothing
MINUTES = 8.0  # that all trainings together may take


class Trained(NamedTuple):
    """A detector, its calibration (None if it has found nothing yet) and how it was trained.

    ``by_class`` are the calibrations of classes that have enough labels for one of their own, and
    ``usual`` is what its photos are like.
    """

    model: Any
    calibration: Calibration | None
    class_map: Any
    recipe: Recipe
    by_class: Mapping[str, Calibration]
    usual: Usual | None

    @property
    def meta(self) -> dict[str, Any]:
        """What a checkpoint says about itself: how to count with it, and what made it."""
        tile, cell_side = self.recipe.tile, self.recipe.cell_side
        return checkpoint_meta(self.calibration, tile, self.by_class, self.usual, cell_side)


def finetune(
    folder: str | Path,
    out: str | Path,
    *,
    photos: Sequence[Path] | None = None,
    recipe: Recipe | None = None,
    minutes: float = MINUTES,
    seed: int = 0,
) -> Path:
    """Train on labels that a person drew or confirmed, and save what counts; one photo is enough.

    A training that is stopped is kept beside ``out``, and the same call goes on with it.

    Args:
        folder: labelled photos.
        out: checkpoint to write.
        photos: which of them to learn from, all if left out.
        recipe: how to train; read off the labels if left out.
        minutes: that the trainings may take together; a slow computer takes fewer steps.
        seed: of all chance.

    Returns:
        ``out``.

    Raises:
        CellCountError: no cell is labelled, or labels cannot be used.
    """
    out = Path(out)
    state = out.with_name(f".{out.stem}-training")
    save(
        learn_all(folder, photos=photos, recipe=recipe, minutes=minutes, seed=seed, state=state),
        out,
    )
    shutil.rmtree(state, ignore_errors=True)
    return out


def learn_all(
    folder: str | Path,
    *,
    photos: Sequence[Path] | None = None,
    recipe: Recipe | None = None,
    minutes: float = MINUTES,
    seed: int = 0,
    state: Path | None = None,
) -> Trained:
    """Train on all labelled photos, and calibrate by detectors that have not seen them.

    Args:
        folder: labelled photos.
        photos: which of them to learn from, all if left out.
        recipe: how to train; read off the labels if left out.
        minutes: that the trainings may take together; a slow computer takes fewer steps.
        seed: of all chance.
        state: folder in which trainings are kept, so that they can be stopped and go on.

    Raises:
        CellCountError: no cell is labelled, or labels cannot be used.
    """
    photos = labelled_photos(folder) if photos is None else photos
    for warning in rare_classes(photos):
        print(warning)
    recipe = read_off(photos) if recipe is None else recipe
    folds = folds_of(len(photos), seed)
    kept = None if state is None else state / _digest(photos, recipe, seed)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        shown, class_map = views(photos, recipe.tile, scratch)
        untrained = as_it_is(shown, class_map, recipe)
        if untrained is not None and untrained.suffices:
            model, found, calibration = untrained
            print(
                f"{untrained.labelled} cells are too few to learn from: the detector of any cell "
                f"stays as it is. Label {ENOUGH} or more."
            )
            usual = learn_usual(photos, found, calibration, recipe.tile)
            return Trained(model, calibration, class_map, recipe, {}, usual)
        each, wanted = minutes / (1 + recipe.share * len(folds)), recipe.steps
        recipe = _as_begun(kept, recipe) or within(recipe, shown, class_map, each)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "steps").write_text(str(recipe.steps))
        less = replace(recipe, steps=round(recipe.steps * recipe.share))
        print(f"{recipe}\nIt takes about {minutes:g} min at most.")
        if recipe.steps < wanted:
            print(f"That is too short for all of {wanted} steps here: more minutes may teach more.")
        judges, their_folds, theirs = shown, folds, less
        if len(photos) == 1:  # its quarters judge each other, each at the scale of the whole
            quarters = cut_in_quarters(photos[0], scratch / "quarters")
            judges, _ = views(quarters, None, scratch, class_map)
            their_folds = [[0, 3], [1, 2]]
            if recipe.cell_side is None:
                half = recipe.size // 2
                theirs = replace(less, size=half, crop=min(recipe.crop, half))
        steps = steps_of(judges, theirs, their_folds) + recipe.total(len(records_of(shown)))
        bar = stack.enter_context(Bar(total=steps, unit="step", desc="Training", leave=False))
        found = cross_fit(judges, class_map, theirs, their_folds, seed=seed, bar=bar, state=kept)
        if untrained is not None and f1(untrained.found) > f1(found) + _LESS:
            model, found = untrained.model, untrained.found
            print("Training finds no more of these cells: only how to count them is learned.")
        else:
            bar.set_description("Training on all")
            model = _trained(shown, class_map, recipe, seed=seed, bar=bar, state=kept, name="all")
    parts = len(found) > len(photos)
    calibration = _calibrated(found, parts)
    by_class = learn_by_class(found) if len(photos) > 1 else {}
    kinds = class_map.get_classes()[1:]
    few = sorted({*kinds} - {*by_class}) if len(kinds) > 1 else []
    if few and calibration is not None and calibration.explains:
        print(f"Too few or too badly found to be calibrated alone: {', '.join(few)}. Label more.")
    usual = learn_usual(photos, [] if parts else found, calibration, recipe.tile)
    return Trained(model, calibration, class_map, recipe, by_class, usual)


def _calibrated(found: Sequence[Prediction], parts: bool) -> Calibration | None:
    """What predictions on photos, or parts of one, teach about counting; it is said if little."""
    try:
        calibration = Calibration.learn([match(one.classless) for one in found])
        if parts:
            calibration = calibration.of_one_photo()
    except CellCountError as error:
        print(f"The detector is kept, but cannot count yet: {error}")
        return None
    if not calibration.explains:
        print(
            "The detector is kept, but without an interval: its counts of labelled photos that it "
            f"had not seen were {calibration.accuracy.share_off:.0f} % off. Label more photos."
        )
    return calibration


def cross_fit(
    shown: Sequence[View],
    class_map: Any,
    recipe: Recipe,
    folds: Sequence[Sequence[int]],
    *,
    seed: int,
    bar: Any = None,
    state: Path | None = None,
) -> list[Prediction]:
    """What is found on each photo by a detector that was trained without it.

    Args:
        shown: the photos.
        class_map: of their records.
        recipe: of each training.
        folds: the numbers of the photos that each training leaves out.
        seed: of all chance.
        bar: of tqdm, advanced by one a step.
        state: folder in which trainings are kept, so that they can be stopped and go on.
    """
    found: dict[int, Prediction] = {}
    for number, fold in enumerate(folds):
        model = _trained(
            [one for i, one in enumerate(shown) if i not in fold],
            class_map,
            recipe,
            seed=seed + 1 + number,
            bar=bar,
            state=state,
            name=str(number),
        )
        left_out = predict_photos(model, [shown[i] for i in fold], class_map, recipe)
        found.update(zip(fold, left_out, strict=True))
    return [found[i] for i in range(len(shown))]


def steps_of(shown: Sequence[View], recipe: Recipe, folds: Sequence[Sequence[int]]) -> int:
    """How many steps :func:`cross_fit` takes in all."""
    learned = ([one for i, one in enumerate(shown) if i not in fold] for fold in folds)
    return sum(recipe.total(len(records_of(some))) for some in learned)


def folds_of(photos: int, seed: int, folds: int = FOLDS) -> list[list[int]]:
    """Which photos each training leaves out, drawn by ``seed``; a single one has two halves."""
    order = np.random.default_rng(seed).permutation(max(photos, 2))
    return [sorted(order[first::folds].tolist()) for first in range(min(folds, len(order)))]


def save(trained: Trained, out: str | Path) -> None:
    """Write a checkpoint, with what it takes to count with it."""
    from icevision.models.checkpoint import save_icevision_checkpoint

    save_icevision_checkpoint(
        trained.model,
        model_name="mmdet.vfnet",
        backbone_name=trained.recipe.backbone,
        classes=trained.class_map.get_classes(),
        img_size=trained.recipe.size,
        filename=str(out),
        meta=trained.meta,
    )


def recipe_for(folder: str | Path, **by_hand: Any) -> Recipe:
    """How to train on labelled photos: :meth:`Recipe.of`, with the head start where it is of use.

    Args:
        folder: labelled photos.
        by_hand: values of a recipe, to be taken as they are.

    Raises:
        CellCountError: no cell is labelled, or labels cannot be used.
    """
    return read_off(labelled_photos(folder), **by_hand)


def read_off(photos: Sequence[Path], starts: Sequence[Path] = STARTS, **by_hand: Any) -> Recipe:
    """:func:`recipe_for` some of the photos of a folder; ``starts`` are tried as head start."""
    recipe = Recipe.of(photos, **by_hand)
    if "head_start" in by_hand or recipe.backbone != Recipe.backbone:
        return recipe
    found, ways = {}, {}
    with TemporaryDirectory() as scratch:
        cut = cache(lambda tile: views(photos, tile, Path(scratch)))
        for start in starts:
            shipped = vfnet(2, pretrained=False)  # the background, and cells of whatever class
            warm_start(shipped, start)
            few = len(photos) <= _FEW and "size" not in by_hand and finds_any_cell(start)
            ways[start] = Recipe.of_few(photos, **by_hand) if few else recipe
            found[start] = predict_photos(shipped, *cut(ways[start].tile), ways[start])
    best = best_of(found)
    return recipe if best is None else replace(ways[best], head_start=best)


def within(recipe: Recipe, shown: Sequence[View], class_map: Any, minutes: float) -> Recipe:
    """The recipe with as many of its steps as this computer takes in so many minutes."""
    import torch

    if torch.cuda.is_available():  # takes all of them in that time
        return recipe
    most = int(60 * minutes / seconds_a_step(shown[0].records, len(class_map), recipe))
    return replace(recipe, steps=max(min(recipe.steps, most), _FEWEST))


def _trained(
    shown: Sequence[View],
    class_map: Any,
    recipe: Recipe,
    *,
    seed: int,
    bar: Any,
    state: Path | None,
    name: str,
) -> Any:
    """:func:`trained`, or what is kept of it."""
    import torch

    parsed = records_of(shown)
    done = None if state is None else state / f"{name}.pth"
    if done is not None and done.is_file():
        model = vfnet(len(class_map), pretrained=False, backbone=recipe.backbone)
        model.load_state_dict(torch.load(done, map_location="cpu", weights_only=True))
        if bar is not None:
            bar.update(recipe.total(len(parsed)))
        return model
    part = None if state is None else state / f"{name}.part"
    model = trained(parsed, len(class_map), recipe, seed=seed, bar=bar, state=part)
    if done is not None:
        with replacing(done) as beside:
            torch.save(model.state_dict(), beside)
    return model


def _as_begun(state: Path | None, recipe: Recipe) -> Recipe | None:
    """The recipe with the steps that the training was begun with, if it was."""
    file = None if state is None else state / "steps"
    if file is None or not file.is_file():
        return None
    return replace(recipe, steps=int(file.read_text()))


def _digest(photos: Sequence[Path], recipe: Recipe, seed: int) -> str:
    """A name for a training: another one if a label, a photo, the recipe or the seed is another."""
    digest = sha256(repr((replace(recipe, steps=0), seed)).encode())  # steps are kept apart
    for photo in photos:
        digest.update(f"{photo.name} {photo.stat().st_size}".encode())
        digest.update(photo.with_suffix(".xml").read_bytes())
    return digest.hexdigest()[:16]
