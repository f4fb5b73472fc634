"""Training on labelled photos of many looks: how the shipped checkpoint was made.

What a cell is, whatever its kind, is learned from all of them, so that a detector that then sees a
few photos of yet another look has little left to learn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from cellcount.detector.bridging import apply_bridge
from cellcount.detector.finetuning import Trained, save
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import seed_everything, vfnet
from cellcount.detector.varying import transforms
from cellcount.detector.views import records
from cellcount.errors import CellCountError

_TENTH = 10  # of the photos of each look, one in so many is not learned from
_EVEN = 0.6  # 1 would show all looks equally often, 0 all photos

Photo = TypeVar("Photo")


def pretrain(
    out: str | Path,
    looks: Sequence[Sequence[Path]],
    *,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
    backbone: str = Recipe.backbone,
) -> None:
    """Train on labelled photos of all looks but :func:`set_aside`, classes made one; save ``out``.

    Args:
        out: checkpoint to write.
        looks: labelled photos of each.
        epochs: how often photos are shown; those of looks with few more often.
        seed: of all chance in the training.
        start: a checkpoint to train further; else the backbone starts from ImageNet.
        backbone: its name among VFNet's backbones in IceVision.

    Raises:
        CellCountError: the photos are too few.
    """
    if not can_train(looks):
        raise CellCountError(
            "One photo of each folder is set aside to judge the training, and none is left to "
            "learn from: give a folder with two or more."
        )
    apply_bridge()
    import icevision.all as ice

    class_map = ice.ClassMap(["cell"])
    seen = [_as_cells(look, class_map) for look in looks]
    held_out = [one for look in seen for one in set_aside(look)]
    seen = [[one for i, one in enumerate(look) if i % _TENTH] for look in seen]
    most = max(len(look) for look in seen)
    shown = [
        one for look in seen for one in look * max(1, round((most / max(len(look), 1)) ** _EVEN))
    ]
    seed_everything(seed)
    model = vfnet(len(class_map), backbone=backbone)
    if start is not None:
        warm_start(model, start)
    family = ice.models.mmdet.vfnet
    recipe = Recipe.of_any_cell(backbone=backbone)
    varied, plain = transforms(recipe)
    dls = [
        family.train_dl(ice.Dataset(shown, varied), batch_size=2, shuffle=True),
        family.valid_dl(ice.Dataset(held_out, plain), batch_size=1, shuffle=False),
    ]
    learn = family.fastai.learner(dls=dls, model=model)
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(2e-4, 2e-3), pct_start=0.1)
    save(Trained(model, None, class_map, recipe, {}, None), out)


def can_train(looks: Sequence[Sequence[Path]]) -> bool:
    """Whether :func:`pretrain` has a photo to learn from, once those that judge are set aside."""
    return any(len(look) > 1 for look in looks)


def set_aside(look: Sequence[Photo]) -> Sequence[Photo]:
    """Those of a look's photos, or of their records, that :func:`pretrain` does not learn from."""
    return look[::_TENTH]


def _as_cells(photos: Sequence[Path], class_map: Any) -> list[Any]:
    """Records of photos in which each box is a cell, of whatever class."""
    parsed, _ = records(photos)
    for record in parsed:
        record.detection.set_class_map(class_map)
        record.detection.set_labels_by_id([1] * len(record.detection.bboxes))
    return parsed
