"""The command that counts."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.commands.asked import crew, groups, photos_of
from cellcount.commands.options import CHECKPOINT, add_crew, add_engine, add_region, add_view
from cellcount.errors import CellCountError
from cellcount.labels.formats import WRITTEN

if TYPE_CHECKING:
    from cellcount.counting.count import Count
    from cellcount.counting.counter import Counter

SOME_FAILED = 3  # exit status: some photos are not counted
_NAMED = 10  # photos that stand out
_CHARTED = 20  # photos make a series whose chart can be read


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    count = commands.add_parser("count", help="count cells on photos with a trained model")
    count.add_argument("model", type=Path, help=CHECKPOINT)
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
    count.add_argument(
        "--report", action="store_true", help="a page with pictures and figures too, as HTML"
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
    add_region(count)
    add_view(count)
    add_engine(count)
    add_crew(count)
    count.set_defaults(run=_count)


def _count(options: argparse.Namespace) -> int:
    from cellcount.photos.reading import photos_in

    files = [one for path in options.photos for one in photos_of(path, options.recursive)]

    from cellcount.counting.boxes import refuse_several
    from cellcount.labels.writing import refuse_full

    table = options.out.with_suffix(".csv") if _is_workbook(options.out) else options.out
    if options.boxes:
        refuse_full(_boxes_beside(table))
        if table.exists():
            print(f"All photos are counted anew, for their boxes: {table} has numbers only.")
    counter = _counter(options)
    photos = [one for file in files for one in photos_in(file, counter.view)]
    if options.boxes:
        refuse_several(photos)
    counts = counter.count_all(
        photos, table, options.tile, anew=bool(options.boxes), crew=crew(options)
    )
    if not counts:
        raise CellCountError("No photo was counted. What is wrong with each stands above.")
    _tell_counts(counter, counts)
    _tell_series(counts, table.with_name(f"{table.stem}-series.png"))
    failed = len({*photos}) - len(counts)
    if failed:
        print(f"{failed} of {len({*photos})} photos could not be counted: the table says why.")
    print(f"The table is {table}.")
    _write_beside(options, counter, counts, photos, table)
    return SOME_FAILED if failed else 0


def _counter(options: argparse.Namespace) -> "Counter":
    from cellcount.counting.counter import Counter

    counter = Counter(
        options.model,
        options.threshold,
        options.engine,
        scale=options.scale,
        um_per_px=options.um_per_px,
        region=options.region,
        edges=options.edges,
    )
    if options.classes or options.merge:
        counter.group(groups(options.classes or [], options.merge or [], counter.classes))
    return counter


def _tell_counts(counter: "Counter", counts: "Sequence[Count]") -> None:
    for one in counts:
        interval = "" if one.low is None else f"  {one.low:4} to {one.high:4}"
        each = ", ".join(f"{name} {number}" for name, number in one.by_class.items())
        why = ", ".join(one.why or ())
        said = f"  LOOK: {why}" if why else "  brightness matched" if one.matched else ""
        print(f"{one.n:6}{interval}  {one.photo}  {each}{said}".rstrip())
    if odd := sum(one.trust == "look" for one in counts):
        print(
            f"{odd} of {len(counts)} photos are unlike those that the model has learned from, and "
            "have no interval: the table says why. Look at them before you trust their counts."
        )
    for name in counts[0].by_class:
        print(f"{name}, of the cells counted: {counter.share(name, counts)}")


def _write_beside(
    options: argparse.Namespace,
    counter: "Counter",
    counts: "Sequence[Count]",
    photos: Sequence[Path],
    table: Path,
) -> None:
    """What was asked for beside the table, and pictures of photos that are too large to look at."""
    from cellcount.counting.boxes import write_boxes
    from cellcount.counting.table import names_of
    from cellcount.counting.workbook import write_workbook
    from cellcount.judging.density import write_density_maps

    names = names_of(photos)
    for picture in write_density_maps(counts, names, table, counter.view):
        print(f"Where the cells of a large photo lie: {picture}.")
    if _is_workbook(options.out):
        write_workbook(table, options.out)
        print(f"The workbook is {options.out}.")
    if options.boxes:
        boxes = _boxes_beside(table)
        moved = write_boxes(counts, names, counter.classes[0], boxes, options.boxes)
        print(f"The {moved.boxes} boxes are in {boxes}, with copies of the photos.")
    if options.report:
        from cellcount.counting.report.page import report_beside, write_report

        write_report(table, names, report_beside(table), view=counter.view)
        print(f"The report is {report_beside(table)}.")


def _boxes_beside(table: Path) -> Path:
    return table.with_name(f"{table.stem}-boxes")


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
