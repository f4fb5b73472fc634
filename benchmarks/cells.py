"""``python -m benchmarks.cells FOLDER...``: any cell, from one, three or twelve labelled photos.

Each folder is a set of labelled photos. A detector learns from its first photos by name, as
``cellcount train`` does, and is judged on those from the thirteenth on; several seeds each. Rows
are kept as they come, so that a run that is stopped goes on. Without folders, the table is made
anew from the rows there are.
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

from cellcount.counting.counter import Counter
from cellcount.detector.finetuning import MINUTES, finetune, read_off
from cellcount.detector.head_start import SHIPPED
from cellcount.judging.report import judged
from cellcount.labels.confirmed import labelled_photos

_MOST = 12  # photos that are learned from; the others judge
_ROWS = Path(__file__).with_name("cells.jsonl")
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "any-cell.md"
_MARKS = ("<!-- cells -->", "<!-- end of cells -->")


def main(arguments: list[str] | None = None) -> None:
    """Train on a few photos of each set, judge on the others, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells", description=main.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="sets of labelled photos")
    parser.add_argument("--photos", nargs="+", type=int, default=[12, 3, 1], help="(12 3 1)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each (3)")
    parser.add_argument(
        "--start", type=Path, help="head start made without the looks of these sets (see models)"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for each training (8)")
    parser.add_argument("--rows", type=Path, default=_ROWS, help="where rows are kept")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page that has the table")
    options = parser.parse_args(arguments)
    wanted = [
        (folder, photos, seed)
        for photos in options.photos
        for seed in range(options.seeds)
        for folder in options.folders
    ]
    for folder, photos, seed in tqdm(wanted, unit="training"):
        rows = read(options.rows)
        if not any((folder.name, photos, seed) == (r["set"], r["photos"], r["seed"]) for r in rows):
            row = measure(folder, photos, seed, options.start, options.minutes)
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    before, _, rest = options.page.read_text(encoding="utf-8").partition(_MARKS[0])
    after = rest.partition(_MARKS[1])[2]
    made = "\n".join(table(read(options.rows)))
    text = f"{before}{_MARKS[0]}\n{made}\n{_MARKS[1]}{after}"
    options.page.write_text(text, encoding="utf-8")
    print(made)


def measure(
    folder: Path, photos: int, seed: int, start: Path | None, minutes: float
) -> dict[str, Any]:
    """Train on the first photos of a set and judge on those from the thirteenth on.

    The shipped head start has seen most of these sets, their judging photos among them: what is
    measured with it is worth nothing. So ``start`` takes its place, and without it no real cells
    have been seen.
    """
    every = labelled_photos(folder)
    starts = [SHIPPED] if start is None else [start, SHIPPED]
    with TemporaryDirectory() as scratch:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            some = every[:photos]
            recipe = read_off(some, starts)
            out = Path(scratch, "m.pth")
            model = finetune(folder, out, photos=some, recipe=recipe, minutes=minutes, seed=seed)
        seconds = time.perf_counter() - began
        counter = Counter(model)
        result, _ = judged(counter, every[_MOST:])
    return {
        "set": folder.name,
        "photos": photos,
        "seed": seed,
        "ap50": round(result.ap50, 4),
        "off": round(result.counts.share_off, 2),
        "width": None if result.width is None else round(result.width, 1),
        "covered": result.covered,
        "judged": len(result.photos),
        "seconds": round(seconds),
        "start": None if recipe.head_start is None else recipe.head_start.name,
        "recipe": said.getvalue().strip().splitlines()[-1:],
    }


def read(rows: Path) -> list[dict[str, Any]]:
    """The rows that were measured."""
    if not rows.is_file():
        return []
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows as a table in Markdown: means over the seeds, with their standard deviations."""
    lines = [
        "| photos learned from | set | AP50 | counts off | median interval | labelled count in "
        "the 95 % interval | training |",
        "|--:|---|--:|--:|--:|--:|--:|",
    ]
    keys = list(dict.fromkeys((row["photos"], row["set"]) for row in rows))
    for photos, name in sorted(keys, key=lambda key: (-key[0], key[1])):
        some = [row for row in rows if (row["photos"], row["set"]) == (photos, name)]
        inside = [row for row in some if row["covered"] is not None]
        covered = sum(row["covered"] for row in inside)
        lines.append(
            f"| {photos} | {name} | {_mean(some, 'ap50', 2)} | {_mean(some, 'off', 0)} % "
            f"| {_mean(inside, 'width', 0)} % | {covered} of {sum(r['judged'] for r in inside)} "
            f"| {statistics.mean(row['seconds'] for row in some) / 60:.1f} min |"
        )
    return lines


def _mean(rows: Iterable[dict[str, Any]], name: str, digits: int) -> str:
    values = [row[name] for row in rows]
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main()
