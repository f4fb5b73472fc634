"""The commands about detectors: which there are, and the training of the shipped one."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import add_epochs, add_seed, positive


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    pretrain = commands.add_parser("pretrain", help="train on rendered photos alone")
    pretrain.add_argument("out", type=Path, help="checkpoint to write")
    pretrain.add_argument("--folder", type=Path, default=Path("out/rendered"), help="of the photos")
    pretrain.add_argument("--photos", type=positive, default=300, help="how many to render (300)")
    pretrain.add_argument("--start", type=Path, help="an earlier result, to train further")
    add_epochs(pretrain, 3)
    add_seed(pretrain, 1000)
    pretrain.set_defaults(run=_pretrain)

    models = commands.add_parser("models", help="list every detector there is, or measure them")
    models.add_argument("family", nargs="*", help="as vfnet, or mmdet.vfnet (all)")
    models.add_argument("--size", type=int, help="measure on images of so many pixels a side")
    models.add_argument("--out", type=Path, metavar="FILE", help="put the table into this page")
    models.set_defaults(run=_models)


def _pretrain(options: argparse.Namespace) -> None:
    from cellcount.detector.head_start import pretrain

    pretrain(
        options.out,
        options.folder,
        number=options.photos,
        epochs=options.epochs,
        seed=options.seed,
        start=options.start,
    )
    print(f"The checkpoint is {options.out}.")


def _models(options: argparse.Namespace) -> None:
    from cellcount.detector import zoo

    zoo.report(options.family, options.size, options.out)
