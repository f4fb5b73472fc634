"""The commands that judge counts, and fit them."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import (
    CHECKPOINT,
    add_engine,
    add_recipe,
    add_seed,
    add_strict,
    add_view,
    by_hand,
    obey_strict,
)


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    evaluate = commands.add_parser("evaluate", help="judge a trained model on labelled photos")
    evaluate.add_argument("model", type=Path, help=CHECKPOINT)
    evaluate.add_argument("folder", type=Path, help="labelled photos it has not learned from")
    evaluate.add_argument("--out", type=Path, default=Path("out/evaluation"), help="for pictures")
    add_strict(evaluate)
    add_view(evaluate)
    add_engine(evaluate)
    evaluate.set_defaults(run=_evaluate)

    calibrate = commands.add_parser(
        "calibrate", help="fit a trained model's counts to your photos, without training"
    )
    calibrate.add_argument("model", type=Path, help="checkpoint, as models/cells.pth")
    calibrate.add_argument("folder", type=Path, help="labelled photos, three or more")
    calibrate.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    add_strict(calibrate)
    add_view(calibrate)
    calibrate.set_defaults(run=_calibrate)

    crossval = commands.add_parser(
        "crossval", help="train several times, judge each on the photos it did not see"
    )
    crossval.add_argument("folder", type=Path, help="labelled photos")
    crossval.add_argument("--folds", type=int, default=4, help="how many trainings (4)")
    crossval.add_argument("--out", type=Path, default=Path("out/crossval"), help="for pictures")
    add_recipe(crossval)
    add_seed(crossval)
    add_strict(crossval)
    add_view(crossval)
    crossval.set_defaults(run=_crossval)


def _calibrate(options: argparse.Namespace) -> None:
    from cellcount.counting.counter import Counter

    obey_strict(options, options.folder)
    # With any threshold, a model that has learned nothing about counting can be calibrated too.
    counter = Counter(options.model, threshold=0.5).calibrate(options.folder, options.out)
    learned = counter.calibration
    assert learned is not None
    if len(learned.labelled) > 1:
        off = f"{learned.accuracy.share_off:.0f} % off, each counted by what the others taught"
    else:
        off = "label two more, and their interval will be narrower"
    print(f"{options.out} counts photos like these: {off}.")


def _evaluate(options: argparse.Namespace) -> None:
    from cellcount.judging import report

    obey_strict(options, options.folder)
    report.tell(report.judge(options.model, options.folder, options.out, options.engine))
    print(f"Table and pictures are in {options.out}.")


def _crossval(options: argparse.Namespace) -> None:
    from cellcount.detector.finetuning import recipe_for
    from cellcount.judging import crossval, report

    obey_strict(options, options.folder)
    report.refuse_own_folder(options.folder, options.out)
    judged = crossval.cross_validate(
        options.folder,
        folds=options.folds,
        recipe=recipe_for(options.folder, **by_hand(options)),
        minutes=options.minutes,
        seed=options.seed,
    )
    report.write(judged.result, judged.found, judged.thresholds, judged.photos, options.out)
    report.tell(judged.result)
    print(f"A training took {judged.seconds / 60:.1f} minutes.")
    print(f"Table and pictures are in {options.out}.")
