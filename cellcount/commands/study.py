"""The commands that sum up a table of counts."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.commands.asked import photos_of
from cellcount.commands.options import add_view
from cellcount.errors import CellCountError

if TYPE_CHECKING:
    from cellcount.counting.study import Sampled


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    groups = commands.add_parser(
        "groups", help="mean, scatter, share and concentration of groups of counted photos"
    )
    groups.add_argument("table", type=Path, help="CSV that `cellcount count` wrote")
    _add_asked(groups)
    groups.add_argument("--out", type=Path, help="CSV to write (beside the table)")
    groups.set_defaults(run=_groups)

    report = commands.add_parser("report", help="a page that shows a table of counts, as HTML")
    report.add_argument("table", type=Path, help="CSV that `cellcount count` wrote")
    report.add_argument(
        "photos", type=Path, nargs="*", help="those that were counted, or their folders"
    )
    report.add_argument("--recursive", action="store_true", help="enter folders in folders too")
    _add_asked(report)
    add_view(report)
    report.add_argument("--out", type=Path, help="HTML to write (beside the table)")
    report.set_defaults(run=_report)


def _add_asked(command: argparse.ArgumentParser) -> None:
    """What the groups are, and what a photo shows of a sample."""
    command.add_argument(
        "--by",
        default="folder",
        help="folder, a CSV with the columns photo and group, or a pattern that finds the group in "
        "a photo's name (folder)",
    )
    command.add_argument("--volume-ul", type=float, help="microlitres that a photo shows")
    command.add_argument("--chamber", help="counting chamber, as neubauer-improved")
    command.add_argument(
        "--squares",
        type=_squares,
        default=1.0,
        metavar="N|area",
        help="of it that a photo shows (1); area: as many as were counted, where the size of a "
        "pixel is known",
    )
    command.add_argument("--dilution", type=float, default=1.0, help="2 is one part in two (1)")
    command.add_argument(
        "--pipetting-cv", type=float, default=0.0, metavar="PERCENT", help="of the volumes (0)"
    )


def _groups(options: argparse.Namespace) -> None:
    import pandas as pd

    from cellcount.counting.study import grouped
    from cellcount.counting.table import safe
    from cellcount.files import replacing

    sampled = _sampled(options)
    groups = grouped(options.table, options.by)
    if not any(group.counts for group in groups):
        raise CellCountError(f"{options.table} holds no count.")
    for group in groups:
        if not group.counts:
            print(f"{group.name}: none of {group.failed} photos could be counted")
            continue
        scatter = f", SD {group.sd:.1f}" if len(group.counts) > 1 else ""
        print(f"{group.name}: {len(group.counts)} photos, {group.mean:.1f} cells on each{scatter}")
        for name in group.classes:
            print(f"    {name}: {group.share(name)}")
        if sampled is not None:
            print(f"    {group.concentration(sampled)}")
            for name in group.classes:
                print(f"    {name}: {group.concentration(sampled, name)}")
        if group.density is not None:
            print(f"    {group.density}")
        if group.flagged:
            print(f"    photos to be looked at: {group.flagged}; the table of counts says why")
        if group.unsure:
            print(f"    counts without an interval, taken for exact here: {group.unsure}")
    out = options.out or options.table.with_name(f"{options.table.stem}-groups.csv")
    rows = pd.DataFrame([group.row(sampled) for group in groups])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as part:
            rows.map(safe).rename(columns=safe).to_csv(part, index=False, encoding="utf-8-sig")
    except OSError as error:
        raise CellCountError(
            f"The table {out} cannot be written ({error.strerror}): close the program that shows "
            "it, make room, or choose another name."
        ) from error
    print(f"The table of groups is {out}.")


def _report(options: argparse.Namespace) -> None:
    from cellcount.counting.report.page import report_beside, write_report
    from cellcount.counting.table import names_of
    from cellcount.photos.reading import photos_in

    sampled, page = _sampled(options), options.out or report_beside(options.table)
    files = [one for path in options.photos for one in photos_of(path, options.recursive)]
    photos = names_of(one for file in files for one in photos_in(file))
    write_report(options.table, photos, page, by=options.by, sampled=sampled)
    print(f"The report is {page}.")


def _squares(text: str) -> float | None:
    """A number of squares; None is as many as were counted."""
    return None if text == "area" else float(text)


def _sampled(options: argparse.Namespace) -> "Sampled | None":
    """What a photo shows, as the options say; None if they do not."""
    from cellcount.calibration.concentration import CHAMBERS
    from cellcount.counting.study import Sampled

    volume = options.volume_ul
    if options.chamber is not None:
        if options.chamber not in CHAMBERS:
            raise CellCountError(
                f"There is no chamber {options.chamber}: choose one of {', '.join(CHAMBERS)}, or "
                "give --volume-ul."
            )
        if volume is not None:
            raise CellCountError("Give --chamber or --volume-ul, not both.")
        chamber, squares = CHAMBERS[options.chamber], options.squares
        volume = None if squares is None else chamber.volume * squares
        return Sampled(volume, options.dilution, options.pipetting_cv / 100, chamber.depth)
    if volume is None:
        if options.squares != 1.0 or options.dilution != 1.0 or options.pipetting_cv:
            raise CellCountError(
                "--squares, --dilution and --pipetting-cv make a concentration only of a known "
                "volume: give --chamber or --volume-ul too."
            )
        return None
    return Sampled(volume, options.dilution, options.pipetting_cv / 100)
