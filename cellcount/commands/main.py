"""The command line: ``python -m cellcount COMMAND``; the work of each is in a module of its own.

Modules are imported when their command runs, so that ``--help`` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellcount.commands import labels
from icevision_bridge.errors import BridgeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 told the user what to mend."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except BridgeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What has been written is kept.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cellcount",
        description="Count cells on microscope photos with a detector you trained yourself.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="say what is installed and what is missing")
    doctor.set_defaults(run=_doctor)

    demo = commands.add_parser("demo", help="run both notebooks on the bundled photos")
    demo.add_argument("--out", type=Path, default=Path("out"), help="where results go (out)")
    demo.set_defaults(run=_demo)

    _add_counting(commands)

    crossval = commands.add_parser(
        "crossval", help="train several times, judge each on the photos it did not see"
    )
    crossval.add_argument("folder", type=Path, help="labelled photos")
    crossval.add_argument("--folds", type=int, default=4, help="how many trainings (4)")
    crossval.add_argument("--epochs", type=labels.positive, help="how often each photo is shown")
    crossval.add_argument("--seed", type=int, default=0)
    crossval.add_argument("--out", type=Path, default=Path("out/crossval"), help="for pictures")
    crossval.set_defaults(run=_crossval)

    data = commands.add_parser("data", help="download the walkthrough's real photos, 100 MB, once")
    data.add_argument("--folder", type=Path, default=Path("data/microalgae"))
    data.set_defaults(run=_data)

    render = commands.add_parser("render", help="make photos with cells and exact labels")
    render.add_argument("out", type=Path, help="folder to write to")
    render.add_argument("--photos", type=int, default=10, help="how many (10)")
    render.add_argument("--seed", type=int, default=0, help="same seed, same photos (0)")
    render.add_argument("--size", type=int, default=1024, help="pixels a side (1024)")
    render.add_argument(
        "--cells", type=int, nargs=2, default=(20, 140), metavar=("MIN", "MAX"), help="a photo"
    )
    render.add_argument("--no-labels", action="store_true", help="write no XML")
    render.set_defaults(run=_render)

    pretrain = commands.add_parser("pretrain", help="train on rendered photos alone")
    pretrain.add_argument("out", type=Path, help="checkpoint to write")
    pretrain.add_argument("--folder", type=Path, default=Path("out/rendered"), help="of the photos")
    pretrain.add_argument(
        "--photos", type=labels.positive, default=300, help="how many to render (300)"
    )
    pretrain.add_argument(
        "--epochs", type=labels.positive, default=3, help="how often each is shown (3)"
    )
    pretrain.add_argument("--seed", type=int, default=1000)
    pretrain.add_argument("--start", type=Path, help="an earlier result, to train further")
    pretrain.set_defaults(run=_pretrain)

    models = commands.add_parser("models", help="list every detector there is, or measure them")
    models.add_argument("family", nargs="*", help="as vfnet, or mmdet.vfnet (all)")
    models.add_argument("--size", type=int, help="measure on images of so many pixels a side")
    models.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    models.set_defaults(run=_models)
    labels.add(commands)
    return parser


def _add_counting(commands: Any) -> None:
    count = commands.add_parser("count", help="count cells on photos with a trained model")
    count.add_argument("model", type=Path, help="checkpoint saved by train.ipynb")
    count.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    count.add_argument("--table", type=Path, default=Path("out/counts.csv"), help="CSV to write")
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


def _doctor(_: argparse.Namespace) -> int:
    from cellcount.commands import doctor

    return doctor.run()


def _demo(options: argparse.Namespace) -> None:
    from cellcount.commands import demo

    demo.run(options.out)


def _count(options: argparse.Namespace) -> None:
    from cellcount.photos.reading import list_photos

    photos: list[Path] = []
    for path in options.photos:
        photos += list_photos(path) if path.is_dir() else [path]

    from cellcount.counting.counter import Counter

    counter = Counter(options.model, options.threshold, options.engine)
    for one in counter.count_all(photos, options.table, options.tile):
        interval = "" if one.low is None else f"  {one.low:4} to {one.high:4}"
        print(f"{one.n:6}{interval}  {one.photo}")
    print(f"The table is {options.table}.")


def _evaluate(options: argparse.Namespace) -> None:
    from cellcount.judging import report

    report.tell(report.judge(options.model, options.folder, options.out, options.engine))
    print(f"Table and pictures are in {options.out}.")


def _crossval(options: argparse.Namespace) -> None:
    from cellcount.judging import crossval, report

    judged = crossval.cross_validate(
        options.folder,
        options.out,
        folds=options.folds,
        epochs=options.epochs or crossval.EPOCHS,
        seed=options.seed,
    )
    report.tell(judged.result)
    print(f"Training took {max(judged.seconds) / 60:.1f} minutes at most.")
    print(f"Table and pictures are in {options.out}.")


def _data(options: argparse.Namespace) -> None:
    from cellcount.photos import public_photos

    print(f"The photos are in {public_photos.download(options.folder)}.")


def _render(options: argparse.Namespace) -> None:
    from cellcount.render import render_folder

    written = render_folder(
        options.out,
        photos=options.photos,
        seed=options.seed,
        size=options.size,
        cells=tuple(options.cells),
        labels=not options.no_labels,
    )
    print(f"{len(written)} photos are in {options.out}.")


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

    zoo.report(options.family, options.size, options.write)
