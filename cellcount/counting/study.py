"""Photos of a table of counts in groups: replicates of a condition, days, wells."""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cellcount.calibration.classes import Share, summed
from cellcount.calibration.concentration import Concentration, Density, concentration, density
from cellcount.calibration.intervals import Estimate
from cellcount.counting.count import Count, share_of
from cellcount.counting.table import read_table
from cellcount.errors import CellCountError


@dataclass(frozen=True)
class Sampled:
    """What a photo shows of a sample; see :func:`concentration`.

    The volume is ``volume`` microlitres a photo; or, if that is None, what lies over the area that
    was counted, ``depth`` millimetres deep.
    """

    volume: float | None
    dilution: float = 1.0
    pipetting: float = 0.0
    depth: float = 0.0


@dataclass(frozen=True)
class Group:
    """The photos of a group: how many cells they show, and how much they differ.

    ``counts`` are those of its photos, flagged ones too; ``failed`` more could not be counted.
    """

    name: str
    counts: tuple[Count, ...]
    failed: int

    @property
    def classes(self) -> list[str]:
        """The kinds of cells that were told apart."""
        return [*self.counts[0].by_class] if self.counts else []

    @property
    def flagged(self) -> int:
        """How many photos a person should look at."""
        return sum(bool(one.why) for one in self.counts)

    @property
    def mean(self) -> float:
        """Cells on a photo; NaN if none was counted."""
        return float(np.mean([one.n for one in self.counts])) if self.counts else np.nan

    @property
    def sd(self) -> float:
        """Standard deviation between photos; NaN of less than two."""
        if len(self.counts) < 2:
            return np.nan
        return float(np.std([one.n for one in self.counts], ddof=1))

    @property
    def estimates(self) -> list[Estimate]:
        """The numbers of cells of the photos, with their intervals."""
        return [one.number.estimate for one in self.counts]

    @property
    def total(self) -> Estimate:
        """All cells of the photos, and the interval of that."""
        return summed(self.estimates)

    def share(self, name: str) -> Share:
        """The share of a class, with its interval."""
        return share_of(name, [one.by_class for one in self.counts])

    @property
    def unsure(self) -> int:
        """How many counts have no interval: what the detector may err by is not known of them."""
        return sum(one.low is None for one in self.counts)

    @property
    def area(self) -> float | None:
        """What was counted of the photos together, in mm²; None if it is not known of each."""
        known = [one.area_mm2 for one in self.counts if one.area_mm2 is not None]
        return sum(known) if known and len(known) == len(self.counts) else None

    @property
    def density(self) -> Density | None:
        """Cells on a square millimetre; None if the area is not known."""
        return None if self.area is None else density(self.estimates, self.area)

    def concentration(self, sampled: Sampled, name: str | None = None) -> Concentration:
        """Cells in a millilitre of the sample.

        Args:
            sampled: what a photo shows of it.
            name: of a class, if only its cells are asked for.

        Raises:
            CellCountError: no photo of the group was counted, or the area is asked for and unknown.
        """
        volume = sampled.volume
        if volume is None:
            if self.area is None:
                raise CellCountError(
                    "The table does not say how large the area is that was counted: count with "
                    "--um-per-px, or give the number of --squares."
                )
            volume = self.area * sampled.depth / len(self.counts)
        counts = self.estimates
        if name is not None:
            counts = [one.by_class[name].estimate for one in self.counts]
        return concentration(counts, volume, sampled.dilution, sampled.pipetting)

    def row(self, sampled: Sampled | None = None) -> dict[str, Any]:
        """The group as a row of a table; what is unknown is empty."""
        row: dict[str, Any] = {
            "group": self.name, "photos": len(self.counts), "not counted": self.failed,
            "to look at": self.flagged,
        }  # fmt: skip
        if not self.counts:
            return row
        row |= dict(zip(("cells", "low", "high"), self.total, strict=True))
        row |= {"mean": round(self.mean, 2)}
        if len(self.counts) > 1:
            row["SD"] = round(self.sd, 2)
        if self.mean and len(self.counts) > 1:
            row["CV %"] = round(100 * self.sd / self.mean, 1)
        for name in self.classes if self.total.n else ():
            parts = zip(("%", "% low", "% high"), self.share(name), strict=True)
            row |= {f"{name} {of}": round(100 * part, 1) for of, part in parts}
        rates: dict[str, tuple[float, float, float]] = {}
        if (dense := self.density) is not None:
            rates["cells/mm2"] = dense
        if sampled is not None:
            rates["cells/mL"] = self.concentration(sampled)
            rates |= {f"{name}/mL": self.concentration(sampled, name) for name in self.classes}
        for name, rate in rates.items():
            ends = zip(("", " low", " high"), rate, strict=True)
            row |= {f"{name}{of}": float(f"{value:.4g}") for of, value in ends}
        return row


def grouped(table: str | Path, by: str = "folder") -> list[Group]:
    """The groups of a table of counts.

    Args:
        table: that :meth:`Counter.count_all` wrote.
        by: ``folder``; or a CSV with the columns photo and group; or a regular expression that
            finds the group in a photo's name, its first bracket if it has one.

    Raises:
        CellCountError: the table or the CSV cannot be used, or a photo is in no group.
    """
    counts, failed = read_table(table)
    name_of = _namer(by)
    groups: dict[str, tuple[list[Count], list[str]]] = {}
    for one in counts:
        groups.setdefault(name_of(one.photo), ([], []))[0].append(one)
    for photo in failed:
        groups.setdefault(name_of(photo), ([], []))[1].append(photo)
    return [Group(name, tuple(some), len(lost)) for name, (some, lost) in sorted(groups.items())]


def _namer(by: str) -> Callable[[str], str]:
    """What finds the group of a photo by its name."""
    if by == "folder":
        return lambda photo: PurePosixPath(photo).parent.as_posix()
    if by.lower().endswith(".csv"):
        return partial(_listed, _groups_of(Path(by)), by)
    try:
        return partial(_matched, re.compile(by))
    except re.error as error:
        raise CellCountError(
            f'{by} is no regular expression ({error}): write it as "day([0-9]+)", or say folder.'
        ) from error


def _groups_of(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            return {row["photo"]: row["group"] for row in csv.DictReader(opened)}
    except (OSError, UnicodeError, csv.Error, KeyError) as error:
        raise CellCountError(
            f"The groups in {file} cannot be read ({error}): it must be a CSV with the columns "
            "photo and group."
        ) from error


def _listed(groups: Mapping[str, str], file: str, photo: str) -> str:
    if photo not in groups:
        raise CellCountError(f"{file} names no group for {photo}: add a row for it.")
    return groups[photo]


def _matched(pattern: re.Pattern[str], photo: str) -> str:
    found = pattern.search(photo)
    if found is None:
        raise CellCountError(f"{pattern.pattern} finds no group in {photo}: change the pattern.")
    return found[1] if pattern.groups else found[0]
