"""The commands that count, and that judge counts."""

import argparse
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.commands.options import (
    add_recipe,
    add_seed,
    add_strict,
    add_view,
    by_hand,
    obey_strict,
)
from cellcount.errors import CellCountError
from cellcount.labels.formats import WRITTEN

if TYPE_CHECKING:
    from cellcount.counting.count import Count


SOME_FAILED = 3  # exit status: some photos are not counted
_NAMED = 10  # photos that stand out
_FEW = 3  # files that are no photos
_BESIDE = (".xml", ".txt", ".csv")  # labels and tables lie beside photos
_CHARTED = 20  # photos make a series whose chart can be read


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    count = commands.add_parser("count", help="count cells on photos with a trained model")
    count.add_argument("model", type=Path, help="checkpoint saved by train.ipynb")
    count.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    count.add_argument("--recursive", action="store_true", help="enter folders in folders too")
    count.add_argument(
        "--out",
        type=Path,
        default=Path("out/counts.csv"),
        help="CSV to write (out/counts.csv); as counts.xlsx, a workbook of Excel's beside it",
    )
    count.add_argument(
        "--boxes",
        choices=WRITTEN,
        help="write the cells that were counted for this program too, beside the table",
    )
    count.add_argument("--threshold", type=float, help="in the place of the model's own")
    size = count.add_mutually_exclusive_group()
    size.add_argument(
        "--tile", type=int, metavar="PIXELS", help="cut large photos into squares of this side"
    )
    size.add_argument(
        "--scale",
        type=float,
        metavar="TIMES",
        help="how large cells lie in these photos beside those learned from: 0.5 at half the "
        "magnification",
    )
    count.add_argument(
        "--um-per-px", type=float, help="micrometres of a pixel, where the files do not say"
    )
    count.add_argument(
        "--classes",
        action="append",
        metavar="A,B",
        help="count these only; the others are left out",
    )
    count.add_argument(
        "--merge", action="append", metavar="NAME=A+B", help="count some classes as one, by a name"
    )
    add_view(count)
    count.set_defaults(run=_count)

    evaluate = commands.add_parser("evaluate", help="judge a trained model on labelled photos")
    evaluate.add_argument("model", type=Path, help="checkpoint saved by train.ipynb")
    evaluate.add_argument("folder", type=Path, help="labelled photos it has not learned from")
    evaluate.add_argument("--out", type=Path, default=Path("out/evaluation"), help="for pictures")
    add_strict(evaluate)
    add_view(evaluate)
    evaluate.set_defaults(run=_evaluate)

    for command in (count, evaluate):
        command.add_argument(
            "--engine",
            default="auto",
            help="what computes the model: auto, openvino or torch (auto)",
        )

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


def _count(options: argparse.Namespace) -> int:
    from cellcount.photos.reading import photos_in

    files = [one for path in options.photos for one in _photos_of(path, options.recursive)]

    from cellcount.counting.boxes import refuse_several, write_boxes
    from cellcount.counting.counter import Counter
    from cellcount.counting.table import names_of
    from cellcount.counting.workbook import write_workbook
    from cellcount.labels.writing import refuse_full

    table = options.out.with_suffix(".csv") if _is_workbook(options.out) else options.out
    boxes = table.with_name(f"{table.stem}-boxes")
    if options.boxes:
        refuse_full(boxes)
        if table.exists():
            print(f"All photos are counted anew, for their boxes: {table} has numbers only.")
    counter = Counter(
        options.model,
        options.threshold,
        options.engine,
        scale=options.scale,
        um_per_px=options.um_per_px,
    )
    if options.classes or options.merge:
        counter.group(groups(options.classes or [], options.merge or [], counter.classes))
    photos = [one for file in files for one in photos_in(file, counter.view)]
    if options.boxes:
        refuse_several(photos)
    counts = counter.count_all(photos, table, options.tile, anew=bool(options.boxes))
    if not counts:
        raise CellCountError("No photo was counted. What is wrong with each stands above.")
    for one in counts:
        interval = "" if one.low is None else f"  {one.low:4} to {one.high:4}"
        each = ", ".join(f"{name} {number}" for name, number in one.by_class.items())
        why = ", ".join(one.why or ())
        print(f"{one.n:6}{interval}  {one.photo}  {each}{f'  LOOK: {why}' if why else ''}".rstrip())
    if odd := sum(one.trust == "look" for one in counts):
        print(
            f"{odd} of {len(counts)} photos are unlike those that the model has learned from, and "
            "have no interval: the table says why. Look at them before you trust their counts."
        )
    for name in counts[0].by_class if counts else ():
        print(f"{name}, of the cells counted: {counter.share(name, counts)}")
    _tell_series(counts, table.with_name(f"{table.stem}-series.png"))
    failed = len({*photos}) - len(counts)
    if failed:
        print(f"{failed} of {len({*photos})} photos could not be counted: the table says why.")
    print(f"The table is {table}.")
    if _is_workbook(options.out):
        write_workbook(table, options.out)
        print(f"The workbook is {options.out}.")
    if options.boxes:
        moved = write_boxes(counts, names_of(photos), counter.classes[0], boxes, options.boxes)
        print(f"The {moved.boxes} boxes are in {boxes}, with copies of the photos.")
    return SOME_FAILED if failed else 0


def _is_workbook(path: Path) -> bool:
    return path.suffix.lower() == ".xlsx"


def _photos_of(path: Path, recursive: bool) -> list[Path]:
    """A photo itself, or those of a folder; what is passed over in the folder is told.

    Raises:
        CellCountError: the folder holds no photo.
    """
    from cellcount.photos.reading import is_photo, list_photos

    if not path.is_dir():
        return [path]
    inner = sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")
    folders = [path]
    if recursive:
        folders = [Path(one) for one, _, _ in os.walk(path)]
        folders = sorted(one for one in folders if any(map(is_photo, one.iterdir()))) or [path]
    elif inner:
        print(f"Folders in {path} are not entered: {_named(inner)}. With --recursive they are.")
    others = [
        one
        for folder in folders
        for one in sorted(folder.iterdir())
        if one.is_file() and not is_photo(one) and one.suffix not in _BESIDE and one.name[0] != "."
    ]
    if others:
        print(f"Files in {path} that are no photos, as their names say: {_named(others)}.")
    return [photo for folder in folders for photo in list_photos(folder)]


def _named(paths: Sequence[Path]) -> str:
    """The number of files or folders, and the names of a few."""
    few = ", ".join(path.name for path in paths[:_FEW])
    return f"{len(paths)} ({few}{', ...' if len(paths) > _FEW else ''})"


def _tell_series(counts: "Sequence[Count]", chart: Path) -> None:
    """Name the photos that stand out from the others, and draw the chart of a long series."""
    from cellcount.calibration.series import charts, standing_out

    made = charts([one.figures for one in counts])
    odd = standing_out(made)
    for number, why in [*odd.items()][:_NAMED]:
        print(f"{counts[number].photo} stands out from the other photos: {', '.join(why)}.")
    if len(odd) > _NAMED:
        print(f"{len(odd) - _NAMED} more photos stand out.")
    if made and len(counts) >= _CHARTED:
        from cellcount.judging.plots import control_charts

        control_charts(made, [one.photo for one in counts]).savefig(chart)
        print(f"How the photos changed from the first to the last: {chart}.")


def groups(
    classes: Sequence[str], merge: Sequence[str], known: Sequence[str]
) -> dict[str, list[str]]:
    """Which of a detector's classes are counted as what.

    Args:
        classes: names to keep, several in one text parted by commas; none keeps all.
        merge: texts as "live=Living+Cell".
        known: the detector's classes. A name of these is not parted, whatever signs are in it.

    Raises:
        CellCountError: a text is not of that form, or names no class.
    """
    made = {name: [name] for name in known}
    for text in merge:
        name, equals, parts = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise CellCountError(f'--merge {text} says no name: write it as "live=Living+Cell".')
        some = _parted(parts, "+", known)
        if name in made and name not in some:
            raise CellCountError(f"There is a class {name!r} already: choose another name.")
        made = {other: own for other, own in made.items() if other not in some} | {name: some}
    kept = [name for text in classes for name in _parted(text, ",", made)]
    return {name: made[name] for name in kept} if kept else made


def _parted(text: str, sign: str, known: Collection[str]) -> list[str]:
    names = [text] if text in known else [part.strip() for part in text.split(sign)]
    for name in names:
        if name not in known:
            raise CellCountError(f"There is no class {name!r}: there are {', '.join(known)}.")
    return names


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
