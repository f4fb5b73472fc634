"""The command that counts."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.commands.asked import crew, groups, photos_of
from cellcount.commands.options import add_crew, add_engine, add_view
from cellcount.errors import CellCountError
from cellcount.labels.formats import WRITTEN

if TYPE_CHECKING:
    from cellcount.counting.count import Count

SOME_FAILED = 3  # exit status: some photos are not counted
_NAMED = 10  # photos that stand out
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
    add_engine(count)
    add_crew(count)
    count.set_defaults(run=_count)


def _count(options: argparse.Namespace) -> int:
    from cellcount.photos.reading import photos_in

    files = [one for path in options.photos for one in photos_of(path, options.recursive)]

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
    counts = counter.count_all(
        photos, table, options.tile, anew=bool(options.boxes), crew=crew(options)
    )
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
