"""Training on labelled photos of many looks: how the shipped checkpoint was made.

What a cell is, whatever its kind, is learned from all of them, so that a detector that then sees a
few photos of yet another look has little left to learn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellcount.detector.bridging import apply_bridge
from cellcount.detector.finetuning import Trained, save
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import seed_everything, vfnet
from cellcount.detector.varying import transforms
from cellcount.detector.views import records
from cellcount.errors import CellCountError
from cellcount.labels.confirmed import labelled_photos

_TENTH = 10  # of the photos of each folder, one in so many is not learned from
_EVEN = 0.6  # 1 would show all folders equally often, 0 all photos


def pretrain(
    out: str | Path,
    folders: Sequence[str | Path],
    *,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
    backbone: str = Recipe.backbone,
) -> None:
    """Train on the photos of all folders but :func:`set_aside`, classes made one; save ``out``.

    Args:
        out: checkpoint to write.
        folders: each with labelled photos of one look.
        epochs: how often photos are shown; those of small folders more often.
        seed: of all chance in the training.
        start: a checkpoint to train further; else the backbone starts from ImageNet.
        backbone: its name among VFNet's backbones in IceVision.

    Raises:
        CellCountError: labels cannot be used: it lists them; or the photos are too few.
    """
    apply_bridge()
    import icevision.all as ice

    class_map = ice.ClassMap(["cell"])
    looks = [_as_cells(labelled_photos(folder), class_map) for folder in folders]
    held_out = [one for look in looks for one in look[::_TENTH]]
    looks = [[one for i, one in enumerate(look) if i % _TENTH] for look in looks]
    most = max(len(look) for look in looks)
    if not most:
        raise CellCountError(
            "One photo of each folder is set aside to judge the training, and none is left to "
            "learn from: give a folder with two or more."
        )
    shown = [
        one for look in looks for one in look * max(1, round((most / max(len(look), 1)) ** _EVEN))
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


def set_aside(folder: str | Path) -> list[Path]:
    """The labelled photos of a folder that :func:`pretrain` does not learn from."""
    return labelled_photos(folder)[::_TENTH]


def _as_cells(photos: Sequence[Path], class_map: Any) -> list[Any]:
    """Records of photos in which each box is a cell, of whatever class."""
    parsed, _ = records(photos)
    for record in parsed:
        record.detection.set_class_map(class_map)
        record.detection.set_labels_by_id([1] * len(record.detection.bboxes))
    return parsed
