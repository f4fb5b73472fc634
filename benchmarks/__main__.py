"""``python -m benchmarks``: measure, print, and write RESULTS.md if all was measured in earnest."""

import argparse
import shlex
import sys
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import counting, deform, growth, imports, training
from benchmarks.effort import Effort
from benchmarks.interleave import NotMeasuredError
from benchmarks.table import Growth, Row, page

_ROWS = {
    "deform": deform.measure,
    "training": training.measure,
    "counting": counting.measure,
    "imports": imports.measure,
}
_SUBJECTS = (*_ROWS, "growth")


def main(arguments: list[str] | None = None) -> None:
    """Measure how long things take and how much memory, and compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(_SUBJECTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="small and once: does it all run?")
    parser.add_argument("--full", action="store_true", help="the largest of what grows, too")
    parser.add_argument("--out", type=Path, help="page to write (RESULTS.md, of a whole run only)")
    options = parser.parse_args(arguments)
    if unknown := set(options.subjects) - set(_SUBJECTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: take of {', '.join(_SUBJECTS)}")
    effort = Effort(quick=options.quick, full=options.full)
    start = time.perf_counter()
    rows: list[Row] = []
    growths: list[Growth] = []
    for subject in tqdm(options.subjects or _SUBJECTS, unit="subject"):
        try:
            if subject == "growth":
                growths = growth.measure(effort)
            else:
                rows += _ROWS[subject](effort)
        except NotMeasuredError as reason:
            rows.append(Row(subject, reason=str(reason)))
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks", *given])
    text = page(rows, growths, command, (time.perf_counter() - start) / 60)
    print(text)
    out = options.out
    if out is None and not options.quick and not options.subjects:
        out = Path(__file__).with_name("RESULTS.md")
    if out is not None:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
