"""Training on labelled photos of many looks: how the shipped checkpoint was made.

What a cell is, whatever its kind, is learned from all of them, so that a detector that then sees a
few photos of yet another look has little left to learn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import match
from cellcount.calibration.usual import learn_usual
from cellcount.detector.bridging import apply_bridge
from cellcount.detector.finetuning import Trained, save
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import predict, seed_everything, transforms, vfnet
from cellcount.detector.views import records
from cellcount.errors import CellCountError
from cellcount.labels.confirmed import labelled_photos

_SIZE = 384
_SIZES = (256, 320, 384, 512, 704)  # to which photos are brought, for cells of many sizes
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
) -> None:
    """Train on the photos of all folders, their classes made one, and save ``out``.

    The meta of the checkpoint holds a threshold, a calibration and what photos are like, learned
    from photos of every folder that were set aside.

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
    recipe = Recipe(size=_SIZE, crop=_SIZE, why="cells of many looks")
    dls = [
        family.train_dl(ice.Dataset(shown, _varied()), batch_size=2, shuffle=True),
        family.valid_dl(ice.Dataset(held_out, transforms(recipe)[1]), batch_size=1, shuffle=False),
    ]
    learn = family.fastai.learner(dls=dls, model=model)
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(2e-4, 2e-3), pct_start=0.1)
    found = predict(model, held_out, recipe)
    calibration = Calibration.learn([match(one) for one in found])
    set_aside = [one for some in photos for one in some[::_TENTH]]
    usual = learn_usual(set_aside, found, calibration, None)
    save(Trained(model, calibration, class_map, recipe, {}, usual), out)


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
            kinds.OneOf([kinds.LongestMaxSize(size) for size in _SIZES], p=1),
            kinds.PadIfNeeded(_SIZE, _SIZE, border_mode=0, value=_GREY),
            kinds.RandomCrop(_SIZE, _SIZE),
            move,
            kinds.RandomGamma((60, 160), p=0.4),
            colours,
            kinds.ToGray(p=0.15),
            kinds.InvertImg(p=0.1),
            kinds.Blur((1, 3), p=0.1),
            kinds.Normalize(),
        ]
    )
