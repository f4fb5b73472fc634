"""Training on rendered photos alone: how the shipped checkpoint was made.

It shows every photo a few times, varied as real ones are (:mod:`cellcount.detector.training`), so
that a detector that then sees a dozen real photos has only their look left to learn.
"""

from pathlib import Path

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import match
from cellcount.detector.bridging import apply_bridge
from cellcount.detector.finetuning import Trained, save
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import learner, predict, seed_everything, vfnet
from cellcount.errors import CellCountError
from cellcount.labels.checks import ready_to_train
from cellcount.render import render_folder

_SIZE = 768
_HELD_OUT = 20  # photos that only the calibration learns from


def pretrain(
    out: str | Path,
    photos: str | Path,
    *,
    number: int,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
) -> None:
    """Render ``number`` photos into the folder ``photos``, train on them and save ``out``.

    Photos that are there already are used. With ``start``, an earlier result is trained further.
    The meta of the checkpoint holds a threshold and a calibration, learned from some of the photos
    that were set aside.

    Args:
        out: checkpoint to write.
        photos: their folder.
        number: how many to render, if none are there.
        epochs: how often each is shown.
        seed: of the photos, of who is set aside, and of all chance in the training.
        start: a checkpoint that was made so; else the backbone starts from ImageNet.

    Raises:
        CellCountError: the photos that are there hold mistakes: it lists them; or they are too few.
    """
    apply_bridge()
    import icevision.all as ice

    photos = Path(photos)
    there = len(list(photos.glob("*.xml")))
    if there:
        ready_to_train(photos)
    if (there or number) <= _HELD_OUT:
        raise CellCountError(
            f"{_HELD_OUT} photos are set aside for the calibration and none would be left to learn "
            f"from: render at least {_HELD_OUT + 1}, better 300."
        )
    if not there:
        render_folder(photos, photos=number, seed=seed)
    seed_everything(seed)
    parser = ice.parsers.VOCBBoxParser(annotations_dir=photos, images_dir=photos)
    share = _HELD_OUT / len(parser)
    splitter = ice.RandomSplitter([1 - share, share], seed=seed)
    learned, held_out = parser.parse(splitter, show_pbar=False)

    model = vfnet(len(parser.class_map))
    if start is not None:
        warm_start(model, start)
    recipe = Recipe(size=_SIZE, crop=_SIZE, why="needles this thin are seen at no less")
    learn = learner(model, learned, held_out, recipe)
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(2e-4, 2e-3))
    calibration = Calibration.learn([match(one) for one in predict(model, held_out, recipe)])
    save(Trained(model, calibration, parser.class_map, recipe), out)
