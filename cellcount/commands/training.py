"""The commands about detectors: training one, the shipped one, and which there are."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import (
    add_epochs,
    add_recipe,
    add_seed,
    add_strict,
    add_view,
    by_hand,
    obey_strict,
)

_OUT = "checkpoint to write (models/model_checkpoint.pth)"


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    train = commands.add_parser("train", help="train on labelled photos, one or more")
    train.add_argument("folder", type=Path, help="labelled photos")
    train.add_argument("--out", type=Path, default=Path("models/model_checkpoint.pth"), help=_OUT)
    add_recipe(train)
    add_seed(train)
    add_strict(train)
    add_view(train)
    train.set_defaults(run=_train)

    pretrain = commands.add_parser(
        "pretrain", help="make a detector of any cell from photos of many looks, by four trainings"
    )
    pretrain.add_argument("out", type=Path, help="checkpoint to write")
    pretrain.add_argument(
        "folders", nargs="+", type=Path, help="labelled photos, a folder for each look"
    )
    pretrain.add_argument("--start", type=Path, help="a checkpoint to train further")
    add_epochs(pretrain, 12)
    add_seed(pretrain)
    add_strict(pretrain)
    pretrain.set_defaults(run=_pretrain)

    models = commands.add_parser("models", help="list every detector there is, or measure them")
    models.add_argument("family", nargs="*", help="as vfnet, or mmdet.vfnet (all)")
    models.add_argument("--size", type=int, help="measure on images of so many pixels a side")
    models.add_argument("--out", type=Path, metavar="FILE", help="put the table into this page")
    models.set_defaults(run=_models)


def _train(options: argparse.Namespace) -> None:
    from cellcount.detector.finetuning import finetune, recipe_for

    obey_strict(options, options.folder)
    recipe = recipe_for(options.folder, **by_hand(options))
    finetune(options.folder, options.out, recipe=recipe, minutes=options.minutes, seed=options.seed)
    print(f"The checkpoint is {options.out}. Count with it: cellcount count {options.out} PHOTOS")


def _pretrain(options: argparse.Namespace) -> None:
    from cellcount.counting.any_cell import make

    obey_strict(options, *options.folders)
    make(
        options.out,
        options.folders,
        epochs=options.epochs,
        seed=options.seed,
        start=options.start,
    )
    print(f"The checkpoint is {options.out}.")


def _models(options: argparse.Namespace) -> None:
    from cellcount.detector import zoo

    zoo.report(options.family, options.size, options.out)
