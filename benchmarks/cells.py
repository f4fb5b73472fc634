"""``python -m benchmarks.cells FOLDER...``: any cell, from twelve, three, one or no labelled photo.

Each folder is a set of labelled photos. A detector learns from its first photos by name, as
``cellcount train`` does, and is judged on those from the thirteenth on that it has not learned
from; several seeds each. With no photo to learn from, the head start itself counts. Rows are kept
as they come, so that a run that is stopped goes on. Without folders, the table is made anew from
the rows there are.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from benchmarks.table import markdown, write_between
from cellcount.counting.any_cell import make
from cellcount.counting.count import share_of
from cellcount.counting.counter import Counter
from cellcount.detector.finetuning import MINUTES, finetune, read_off
from cellcount.detector.head_start import SHIPPED
from cellcount.judging.evaluation import Evaluation, average_precision
from cellcount.judging.report import judged
from cellcount.labels.confirmed import labelled_photos

_MOST = 12  # photos that do not judge
_CLASS_HEADS = (
    "set",
    "class",
    "counts off",
    "labelled count in the 95 % interval",
    "share off, points",
    "labelled share in the 95 % interval",
)
_EPOCHS = 6  # as models/cells.pth
_ROWS = Path(__file__).with_name("cells.jsonl")
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "any-cell.md"


def main(arguments: list[str] | None = None) -> None:
    """Train on a few photos of each set, judge on the others, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells", description=main.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="sets of labelled photos")
    parser.add_argument("--photos", nargs="+", type=int, default=[12, 3, 1, 0], help="(12 3 1 0)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each (3)")
    parser.add_argument(
        "--start", type=Path, help="head start made without the looks of these sets (see models)"
    )
    parser.add_argument(
        "--left-out",
        type=Path,
        metavar="FOLDER",
        help="make the head start of each set from the other sets, and keep it there",
    )
    parser.add_argument("--alone", action="store_true", help="train without any head start")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for each training (8)")
    parser.add_argument("--rows", type=Path, default=_ROWS, help="where rows are kept")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page that has the table")
    options = parser.parse_args(arguments)
    wanted = [
        (folder, photos, seed)
        for photos in options.photos
        if photos or not options.alone
        for seed in range(options.seeds if photos else 1)
        for folder in options.folders
    ]
    for folder, photos, seed in tqdm(wanted, unit="training"):
        asked = {"set": folder.name, "photos": photos, "seed": seed, "alone": options.alone}
        if not any(asked.items() <= row.items() for row in read(options.rows)):
            every = labelled_photos(folder)
            given = [] if options.alone else _starts(folder, options)
            row = asked | measure(every, photos, seed, given, options.minutes)
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    rows = read(options.rows)
    for mark, lines in (("cells", table(rows)), ("classes", classes_table(rows))):
        write_between(options.page, mark, lines)
        print("\n".join(lines))


def _starts(folder: Path, options: argparse.Namespace) -> list[Path]:
    """The head starts that a set is trained from, the first of which has not seen it."""
    if options.left_out is None:
        return [options.start, SHIPPED] if options.start else [SHIPPED]
    start = options.left_out / f"no_{folder.name}.pth"
    if not start.is_file():
        options.left_out.mkdir(parents=True, exist_ok=True)
        others = [other for other in options.folders if other != folder]
        make(start, others, epochs=_EPOCHS, seed=0, start=SHIPPED)
    return [start, SHIPPED]


def measure(
    every: Sequence[Path], photos: int, seed: int, starts: Sequence[Path], minutes: float
) -> dict[str, Any]:
    """Train on the first photos of a set and judge on those from the thirteenth on.

    The shipped head start has seen most of these sets, their judging photos among them: what is
    measured with it is worth nothing. So ``starts`` take its place; the first is what counts where
    no photo is learned from.
    """
    recipe, model, said, began = None, starts[0] if starts else SHIPPED, "", time.perf_counter()
    with TemporaryDirectory() as scratch:
        if photos:
            some = _alone(every[:photos], Path(scratch, "photos"))
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                chosen = {} if starts else {"head_start": None}
                recipe = read_off(some, starts, **chosen)
                out = Path(scratch, "m.pth")
                model = finetune(
                    some[0].parent, out, photos=some, recipe=recipe, minutes=minutes, seed=seed
                )
            said = printed.getvalue().strip()
        seconds = time.perf_counter() - began
        result, found = judged(Counter(model), every[max(_MOST, photos) :])
    return {
        "ap50": round(result.ap50, 4),
        "ap50_any": round(float(average_precision([one.classless for one in found])[0]), 4),
        "off": round(result.counts.share_off, 2),
        "width": None if result.width is None else round(result.width, 1),
        "covered": result.covered,
        "judged": result.with_interval,
        "seconds": round(seconds),
        "start": recipe.head_start.name if recipe and recipe.head_start else None,
        "recipe": said.splitlines()[-1:],
        "classes": _classes(result) if photos else {},
    }


def _alone(photos: Sequence[Path], folder: Path) -> list[Path]:
    """The photos in a folder of their own: what is labelled on others is no class there."""
    folder.mkdir()
    for photo in photos:
        for file in (photo, photo.with_suffix(".xml")):
            (folder / file.name).symlink_to(file.resolve())
    return [folder / photo.name for photo in photos]


def _classes(result: Evaluation) -> dict[str, dict[str, Any]]:
    """How right the counts of each class are, and its shares on ten photos at a time.

    Flagged photos take no part in a share, as in :meth:`Counter.share`.
    """
    tens = [result.photos[first : first + 10] for first in range(0, len(result.photos), 10)]
    told = {}
    for name, one in result.by_class.items():
        shares = []
        for photos in tens:
            some = [photo for photo in photos if not photo.why] or photos
            found = share_of(
                name, [{kind: n for kind, (_, n) in one.by_class.items()} for one in some]
            )
            every = sum(labelled for one in some for labelled, _ in one.by_class.values())
            true = sum(one.by_class[name][0] for one in some) / every
            shares.append((found.low <= true <= found.high, abs(found.value - true)))
        told[name] = {
            "off": round(one.off, 2),
            "covered": one.covered or 0,
            "judged": one.with_interval,
            "shares held": sum(held for held, _ in shares),
            "shares": len(shares),
            "points off": round(100 * statistics.mean(far for _, far in shares), 2),
        }
    return told


def read(rows: Path) -> list[dict[str, Any]]:
    """The rows that were measured."""
    if not rows.is_file():
        return []
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows as a table in Markdown: means over the seeds, with their standard deviations."""
    lines = [
        "| photos learned from | set | AP50 | classes ignored | counts off | median interval "
        "| labelled count in the 95 % interval | training |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    groups: dict[tuple[int, bool, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((-row["photos"], row["alone"], row["set"]), []).append(row)
    for (photos, alone, name), some in sorted(groups.items()):
        inside = [row for row in some if row["covered"] is not None]
        width, held = "none", "none"
        if inside:
            width = f"{_mean(inside, 'width', 0)} %"
            held = f"{sum(r['covered'] for r in inside)} of {sum(r['judged'] for r in inside)}"
        lines.append(
            f"| {-photos}{', no head start' if alone else ''} | {name} | {_mean(some, 'ap50', 2)} "
            f"| {_mean(some, 'ap50_any', 2)} | {_mean(some, 'off', 0)} % | {width} | {held} "
            f"| {statistics.mean(row['seconds'] for row in some) / 60:.1f} min |"
        )
    return lines


def classes_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What twelve photos teach about each class of the sets with several, as Markdown."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["photos"] == _MOST and not row["alone"] and len(row.get("classes", {})) > 1:
            for name, one in row["classes"].items():
                groups.setdefault((row["set"], name), []).append(one)
    body = []
    for (folder, name), some in sorted(groups.items()):
        held, judged, shares_held, shares = (
            sum(one[key] for one in some) for key in ("covered", "judged", "shares held", "shares")
        )
        counts = f"{_mean(some, 'off', 0)} %", f"{held} of {judged}"
        shares_of = _mean(some, "points off", 1), f"{shares_held} of {shares}"
        body.append([folder, name, *counts, *shares_of])
    return markdown(_CLASS_HEADS, body, texts=2)


def _mean(rows: Iterable[dict[str, Any]], name: str, digits: int) -> str:
    values = [row[name] for row in rows]
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main()
