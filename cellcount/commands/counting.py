"""The commands that count, and that judge counts."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import add_recipe, add_seed, by_hand


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    count = commands.add_parser("count", help="count cells on photos with a trained model")
    count.add_argument("model", type=Path, help="checkpoint saved by train.ipynb")
    count.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    count.add_argument("--out", type=Path, default=Path("out/counts.csv"), help="CSV to write")
    count.add_argument("--threshold", type=float, help="in the place of the model's own")
    count.add_argument(
        "--tile", type=int, metavar="PIXELS", help="cut large photos into squares of this side"
    )
    count.set_defaults(run=_count)

    evaluate = commands.add_parser("evaluate", help="judge a trained model on labelled photos")
    evaluate.add_argument("model", type=Path, help="checkpoint saved by train.ipynb")
    evaluate.add_argument("folder", type=Path, help="labelled photos it has not learned from")
    evaluate.add_argument("--out", type=Path, default=Path("out/evaluation"), help="for pictures")
    evaluate.set_defaults(run=_evaluate)

    for command in (count, evaluate):
        command.add_argument(
            "--engine",
            default="auto",
            help="what computes the model: auto, openvino or torch (auto)",
        )

    crossval = commands.add_parser(
        "crossval", help="train several times, judge each on the photos it did not see"
    )
    crossval.add_argument("folder", type=Path, help="labelled photos")
    crossval.add_argument("--folds", type=int, default=4, help="how many trainings (4)")
    crossval.add_argument("--out", type=Path, default=Path("out/crossval"), help="for pictures")
    add_recipe(crossval)
    add_seed(crossval)
    crossval.set_defaults(run=_crossval)


def _count(options: argparse.Namespace) -> None:
    from cellcount.photos.reading import list_photos

    photos: list[Path] = []
    for path in options.photos:
        photos += list_photos(path) if path.is_dir() else [path]

    from cellcount.counting.counter import Counter

    counter = Counter(options.model, options.threshold, options.engine)
    for one in counter.count_all(photos, options.out, options.tile):
        interval = "" if one.low is None else f"  {one.low:4} to {one.high:4}"
        print(f"{one.n:6}{interval}  {one.photo}")
    print(f"The table is {options.out}.")


def _evaluate(options: argparse.Namespace) -> None:
    from cellcount.judging import report

    report.tell(report.judge(options.model, options.folder, options.out, options.engine))
    print(f"Table and pictures are in {options.out}.")


def _crossval(options: argparse.Namespace) -> None:
    from cellcount.detector.finetuning import recipe_for
    from cellcount.judging import crossval, report

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
