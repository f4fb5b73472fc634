"""Training on labelled photos of many looks: how the shipped checkpoint was made.

What a cell is, whatever its kind, is learned from all of them, so that a detector that then sees a
few photos of yet another look has little left to learn.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellcount.detector.bridging import apply_bridge
from cellcount.detector.finetuning import Trained, save
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import seed_everything, transforms, vfnet
from cellcount.detector.views import records
from cellcount.errors import CellCountError
from cellcount.labels.confirmed import labelled_photos

_SIZE = 384  # of the frame in which photos are counted
_PIECE = 320  # pixels a side of what a step shows
_CELL_SIDE = 50  # pixels a side at which it finds cells of all looks best
_LEAST_SIDE, _MOST_SIDE = 18, 90  # between which it is shown them: a first look comes before that
_LEAST, _MOST = 160, 1280  # pixels to which the longest side of a photo is brought
_TENTH = 10  # of the photos of each folder, one in so many is left for the calibration
_EVEN = 0.6  # 1 would show all folders equally often, 0 all photos
_GREY = [124, 116, 104]


def pretrain(
    out: str | Path,
    folders: Sequence[str | Path],
    *,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
) -> list[Path]:
    """Train on the photos of all folders, their classes made one, and save ``out``.

    Returns photos of every folder that were set aside, for what it takes to count.

    Args:
        out: checkpoint to write.
        folders: each with labelled photos of one look.
        epochs: how often photos are shown; those of small folders more often.
        seed: of all chance in the training.
        start: a checkpoint to train further; else the backbone starts from ImageNet.

    Raises:
        CellCountError: labels cannot be used: it lists them; or the photos are too few.
    """
    apply_bridge()
    import icevision.all as ice

    class_map = ice.ClassMap(["cell"])
    photos = [labelled_photos(folder) for folder in folders]
    looks = [_as_cells(some, class_map) for some in photos]
    held_out = [one for look in looks for one in look[::_TENTH]]
    looks = [[one for i, one in enumerate(look) if i % _TENTH] for look in looks]
    most = max(len(look) for look in looks)
    if not most:
        raise CellCountError(
            "One photo of each folder is set aside for the calibration, and none is left to learn "
            "from: give a folder with two or more."
        )
    shown = [
        one for look in looks for one in look * max(1, round((most / max(len(look), 1)) ** _EVEN))
    ]
    seed_everything(seed)
    model = vfnet(len(class_map))
    if start is not None:
        warm_start(model, start)
    family = ice.models.mmdet.vfnet
    recipe = Recipe(size=_SIZE, crop=_PIECE, why="cells of many looks")
    dls = [
        family.train_dl(ice.Dataset(shown, _varied()), batch_size=2, shuffle=True),
        family.valid_dl(ice.Dataset(held_out, transforms(recipe)[1]), batch_size=1, shuffle=False),
    ]
    learn = family.fastai.learner(dls=dls, model=model)
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(2e-4, 2e-3), pct_start=0.1)
    save(Trained(model, None, class_map, recipe, {}, None), out, cell_side=_CELL_SIDE)
    return [one for some in photos for one in some[::_TENTH]]


def _as_cells(photos: Sequence[Path], class_map: Any) -> list[Any]:
    """Records of photos in which each box is a cell, of whatever class."""
    parsed, _ = records(photos)
    for record in parsed:
        record.detection.set_class_map(class_map)
        record.detection.set_labels_by_id([1] * len(record.detection.bboxes))
    return parsed


def _varied() -> Any:
    """How photos are varied: cells of all sizes, colours and lights, whichever way they lie."""
    from icevision import tfms

    kinds = tfms.A

    class CellsOfASize(kinds.LongestMaxSize):  # type: ignore[misc, name-defined]
        """Brings a photo to a size, drawn anew each time, from its cells."""

        targets_as_params = ("image", "bboxes")

        def get_params(self) -> dict[str, Any]:
            return {}

        def get_params_dependent_on_targets(self, params: dict[str, Any]) -> dict[str, int]:
            boxes = np.array([box[:4] for box in params["bboxes"]]).reshape(-1, 4)
            height, width = params["image"].shape[:2]
            sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * width * height)
            side = _LEAST_SIDE * (_MOST_SIDE / _LEAST_SIDE) ** random.random()
            times = side / np.median(sides) if len(sides) else 1.0
            return {"max_size": int(np.clip(max(width, height) * times, _LEAST, _MOST))}

    move = kinds.ShiftScaleRotate(
        rotate_limit=180,
        rotate_method="ellipse",
        scale_limit=0.25,
        border_mode=0,
        value=_GREY,
        p=0.3,
    )
    colours = kinds.ColorJitter(0.3, 0.3, 0.4, 0.15, p=0.7)
    return kinds.Adapter(
        [
            kinds.RandomRotate90(),
            kinds.HorizontalFlip(),
            CellsOfASize(p=1),
            kinds.PadIfNeeded(_PIECE, _PIECE, border_mode=0, value=_GREY),
            kinds.RandomCrop(_PIECE, _PIECE),
            move,
            kinds.RandomGamma((60, 160), p=0.4),
            colours,
            kinds.ToGray(p=0.15),
            kinds.InvertImg(p=0.1),
            kinds.Blur((1, 3), p=0.1),
            kinds.Normalize(),
        ]
    )
