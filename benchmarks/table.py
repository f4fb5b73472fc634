"""What was measured, as tables to read."""

import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.interleave import Runs

_LIBRARIES = (
    *("torch", "torchvision", "mmcv", "mmdet", "icevision", "fastai", "albumentations"),
    *("numpy", "opencv-python-headless", "pillow", "openvino"),
)


@dataclass(frozen=True)
class Row:
    """One comparison, or one measure that stands alone; ``reason`` why it could not be made.

    Times are seconds, peaks megabytes of a whole process; ``must`` and ``aim`` are how many times
    as fast it should be.
    """

    what: str
    ours: float | None = None
    against: str = ""
    theirs: float | None = None
    must: float | None = None
    aim: float | None = None
    peaks: tuple[float, ...] = ()
    reason: str = ""

    @classmethod
    def of(
        cls,
        what: str,
        ours: Runs,
        theirs: Runs | None = None,
        against: str = "",
        *,
        must: float | None = None,
        aim: float | None = None,
    ) -> "Row":
        """The medians of what was measured."""
        peaks = (ours.peak,) if theirs is None else (ours.peak, theirs.peak)
        seconds = None if theirs is None else theirs.seconds
        return cls(what, ours.seconds, against, seconds, must, aim, peaks)

    @property
    def times(self) -> float | None:
        """How many times as fast ours is."""
        return self.theirs / self.ours if self.ours and self.theirs else None

    def cells(self) -> list[str]:
        """What stands in the table."""
        if self.reason:
            return [self.what, f"not measured: {self.reason}", self.against, *[""] * 5]
        times = self.times
        missed = times is not None and self.must is not None and times < self.must
        return [
            self.what,
            _short(self.ours),
            self.against,
            _short(self.theirs),
            "" if times is None else f"**{times:.1f}**" + (" (missed)" if missed else ""),
            _short(self.must),
            _short(self.aim),
            " / ".join(f"{peak:.0f}" for peak in self.peaks),
        ]


@dataclass(frozen=True)
class Growth:
    """How time and memory grow with ``unit``: points of (amount, seconds, megabytes, remark)."""

    unit: str
    how: str
    points: Sequence[tuple[float, float, float, str]] = ()
    reason: str = ""

    def lines(self) -> list[str]:
        """A table of its own."""
        if self.reason:
            return [f"**{self.unit}**: not measured: {self.reason}."]
        last, before = self.points[-1], self.points[-2]
        tenfold = [_tenfold(before[0], before[i], last[0], last[i]) for i in (1, 2)]
        return [
            f"**{self.unit}**: {self.how}. From {before[0]:g} to {last[0]:g}, time grows "
            f"{tenfold[0]:.1f}-fold and peak memory {tenfold[1]:.1f}-fold per tenfold.",
            "",
            *markdown(
                [self.unit, "seconds", "peak memory, MB", "found"],
                [[f"{n:g}", _short(s), f"{mb:.0f}", said] for n, s, mb, said in self.points],
                texts=0,
            ),
        ]


def page(rows: Iterable[Row], growths: Iterable[Growth], command: str, minutes: float) -> str:
    """The whole page RESULTS.md."""
    heads = ["what", "seconds", "against", "its seconds", "times as fast", "must", "aim"]
    heads.append("peak memory, MB: ours / theirs")
    cells = [row.cells() for row in rows]
    parts = [
        "# Benchmarks",
        "",
        f"`{command}`, {datetime.now(timezone.utc):%Y-%m-%d}, {minutes:.0f} minutes.",
        f"On {machine()}.",
        "",
        "Medians of runs in turns (A B A B), each way in a process of its own; peak memory is that "
        "of the whole process.",
        "",
        *markdown(heads, cells, texts=1),
        "",
        "## How it grows",
    ]
    for growth in growths:
        parts += ["", *growth.lines()]
    return "\n".join([*parts, "", f"With {versions()}.", ""])


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int) -> list[str]:
    """Lines of a Markdown table; the first ``texts`` columns are ragged right, the others left."""
    rule = "|---" * texts + "|--:" * (len(heads) - texts) + "|"
    return [f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def write_between(page: Path, name: str, lines: Sequence[str]) -> None:
    """Put lines where a page has the marks ``<!-- name -->`` and ``<!-- end of name -->``."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    made = "\n".join([before + begin, *lines, end + rest.partition(end)[2]])
    page.write_text(made, encoding="utf-8")


def _short(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def _tenfold(x0: float, y0: float, x1: float, y1: float) -> float:
    return float(10 ** (math.log(y1 / y0) / math.log(x1 / x0)))


def machine() -> str:
    """The processor, its cores and memory, and how busy it is."""
    name = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.partition(": ")[2]
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{name}, {os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()}; load "
        f"average {load:.1f}"
    )


def versions() -> str:
    """The versions of Python and of the libraries that decide how long things take."""
    named = [f"Python {platform.python_version()}"]
    for library in _LIBRARIES:
        try:
            named.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            named.append(f"no {library}")
    return ", ".join(named)
