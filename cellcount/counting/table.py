"""The table of counts: a row for each photo that was asked for, as soon as it is known.

A run that was stopped goes on with it: rows of the same model, options and version are kept. A
photo that cannot be counted has a row with the reason and no number, and is tried again.
"""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from filelock import FileLock, Timeout

from cellcount.counting.count import Count, Number
from cellcount.counting.found import FoundBoxes
from cellcount.errors import CellCountError
from cellcount.files import printable, replacing
from cellcount.photos.remote import address, is_remote, modified
from cellcount.photos.view import inside

FAILED = "failed"
TEXTS = ("photo", "trust", "why", "model", "options", "version")  # columns; others hold numbers
_MATCHED = "matched"
_OF_CLASS = ("low", "high", "%")
_LAST = (
    *("trust", "why", "brightness", "tile", "um/px", "cell um", "area px", "area mm2", "seconds"),
    *("model", "options", "version"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets calculate instead of showing it


class CountTable:
    """A CSV that outlives whatever stops the counting; use it as a context.

    A table that is there already stays as it is until the first photo is counted.

    Args:
        path: of the CSV.
        classes: of which each has a count, an interval and a share in percent; none if there is
            one class only.
        model: says which detector counts.
        options: say how it was asked to count.
    """

    def __init__(self, path: Path, classes: Sequence[str], model: str, options: str) -> None:
        self._path, self._classes = path, list(classes)
        self._made_by = {"model": model, "options": options, "version": version("cellcount")}
        self._columns = _columns(classes)
        self._boxes = FoundBoxes(path, self._made_by.values())
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        self._waiting: list[dict[str, Any]] = []
        self._file: TextIO | None = None

    def __enter__(self) -> "CountTable":
        """Keep others from writing it at the same time.

        Raises:
            CellCountError: somebody does, or the folder cannot be written to.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise CellCountError(
                f"The table {self._path} is being written by another run: wait until that is done, "
                "or choose another name."
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; without any count, a table of failures replaces none that was there."""
        if error is None and self._waiting and self._file is None and not self._path.exists():
            self._begin()
        with suppress(OSError):  # what could not be written was told when it was
            self._boxes.close()
            if self._file is not None:
                self._file.close()
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()

    def kept(self, photos: Mapping[str, Path]) -> dict[str, Count]:
        """The counts that an earlier run of the same model and options has left.

        Args:
            photos: those that are asked for, by the names they have in the table. One that is newer
                than the table is to be counted again.
        """
        found = {}
        with suppress(OSError, UnicodeError, csv.Error):
            text = self._path.read_text(encoding="utf-8-sig")
            whole = text[: text.rfind("\n") + 1]  # power may have gone in the midst of a row
            rows = csv.DictReader(whole.splitlines(keepends=True))
            if rows.fieldnames != [safe(name) for name in self._columns]:
                return {}
            made = self._path.stat().st_mtime
            plain = {safe(name): (name, photo) for name, photo in photos.items()}
            for row in rows:
                name, photo = plain.get(row["photo"], ("", Path()))
                same = all(row[name] == safe(value) for name, value in self._made_by.items())
                if not name or not same or row["trust"] == FAILED:
                    continue
                with suppress(ValueError, OSError):  # damaged, or its photo is gone
                    if modified(inside(photo).file) <= made:
                        found[name] = _count(name, row, self._classes)
                        self._waiting.append(row)
        if found:
            self._begin()
        return found

    def add(self, count: Count, seconds: float) -> None:
        """A row for a photo that was counted, in so many seconds.

        Raises:
            CellCountError: it cannot be written; the rows before it are kept.
        """
        row: dict[str, Any] = {
            "photo": count.photo, "count": count.n, "low": count.low, "high": count.high,
            "trust": count.trust, "why": ", ".join(count.why or ()),
            "brightness": _MATCHED if count.matched else "", "tile": count.tile,
            "um/px": _rounded(count.um_per_px), "cell um": _rounded(count.cell_um),
            "area px": count.area_px and round(count.area_px),
            "area mm2": _rounded(count.area_mm2),
            "seconds": round(seconds, 2), **self._made_by,
        }  # fmt: skip
        for name, one in count.by_class.items():
            share = round(100 * one.n / count.n, 1) if count.n else None
            row |= {name: one.n} | dict(zip(_of(name), (one.low, one.high, share), strict=True))
        try:
            self._boxes.add(count)
        except OSError as error:
            raise self._unwritable(error) from error
        self._write(row)
        if self._file is None:
            self._begin()

    def fail(self, photo: str, why: str) -> None:
        """A row for a photo that could not be counted."""
        self._write({"photo": photo, "trust": FAILED, "why": why, **self._made_by})

    def _write(self, row: dict[str, Any]) -> None:
        row = {safe(name): safe(value) for name, value in row.items()}
        if self._file is None:
            self._waiting.append(row)
            return
        try:
            self._writer(self._file).writerow(row)
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _begin(self) -> None:
        """Write what has waited, in the place of an older table, and go on behind it."""
        try:
            with (
                replacing(self._path) as part,
                part.open(
                    "w",
                    newline="",
                    encoding="utf-8-sig",  # by which spreadsheets know it for UTF-8
                ) as file,
            ):
                rows = self._writer(file)
                rows.writeheader()
                rows.writerows(self._waiting)
                file.flush()
                os.fsync(file.fileno())
            self._boxes.keep_only({plain(row["photo"]) for row in self._waiting})
            self._file = self._path.open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _writer(self, file: TextIO) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, [safe(name) for name in self._columns], lineterminator="\n")

    def _unwritable(self, error: OSError) -> CellCountError:
        return CellCountError(
            f"The table {self._path} cannot be written ({error.strerror}): close the program that "
            "shows it, make room, or choose another name. The same command goes on from there."
        )


def names_of(photos: Iterable[str | Path]) -> dict[str, Path]:
    """Photos by their names in a table: their paths from the folder that all are in.

    Those of an object store go by their addresses.
    """
    paths = [Path(photo) for photo in photos]
    remote = {printable(address(photo)): photo for photo in paths if is_remote(photo)}
    if remote:
        return remote | names_of(photo for photo in paths if not is_remote(photo))
    found = {photo.parent.resolve() / photo.name: photo for photo in paths}
    try:
        common = os.path.commonpath([photo.parent for photo in found])
    except ValueError:  # none at all, or several drives
        return {printable(photo.as_posix()): given for photo, given in found.items()}
    return {
        printable(photo.relative_to(common).as_posix()): given for photo, given in found.items()
    }


def read_counts(path: str | Path) -> dict[str, int]:
    """The counts of a CSV with the columns photo and count, without photos that have none."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        return {row["photo"]: int(row["count"]) for row in csv.DictReader(file) if row["count"]}


@dataclass(frozen=True)
class Row:
    """A photo of a table: its count, or why it has none, and what has counted it.

    ``made_by`` are the model, its options and the version of this package.
    """

    photo: str
    count: Count | None
    why: str
    made_by: tuple[str, ...]


def read_rows(path: str | Path) -> list[Row]:
    """The photos of a table, in its order.

    Raises:
        CellCountError: it is no table of counts.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            columns = [plain(name) for name in rows.fieldnames or ()]
            classes = columns[4 : -len(_LAST) : 1 + len(_OF_CLASS)]
            if columns != _columns(classes):
                raise CellCountError(f"{path} is no table that `cellcount count` wrote.")
            return [_row(row, classes) for row in rows]
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        raise CellCountError(f"The table {path} cannot be read ({error}). Count anew.") from error


def read_table(path: str | Path) -> tuple[list[Count], list[str]]:
    """The counts of a table, and the names of photos that could not be counted.

    Raises:
        CellCountError: it is no table of counts.
    """
    rows = read_rows(path)
    counts = [row.count for row in rows if row.count is not None]
    return counts, [row.photo for row in rows if row.count is None]


def _row(row: Mapping[str, str], classes: Sequence[str]) -> Row:
    if None in row.values():
        raise ValueError(f"the row of {row['photo']} is cut short")
    photo, made_by = plain(row["photo"]), tuple(plain(row[name]) for name in _LAST[-3:])
    count = None if row["trust"] == FAILED else _count(photo, row, classes)
    return Row(photo, count, plain(row["why"]), made_by)


def _columns(classes: Sequence[str]) -> list[str]:
    of_classes = [column for name in classes for column in (name, *_of(name))]
    return ["photo", "count", "low", "high", *of_classes, *_LAST]


def _of(name: str) -> list[str]:
    return [f"{name} {of}" for of in _OF_CLASS]


def _count(photo: str, row: Mapping[str, str], classes: Sequence[str]) -> Count:
    numbers = {name: _number(row, name, *_of(name)[:2]) for name in classes}
    whole = _number(row, "count", "low", "high")
    why = tuple(row["why"].split(", ")) if row["why"] else ()
    return Count(
        photo,
        whole.n,
        np.empty((0, 4)),
        np.empty(0),
        whole.low,
        whole.high,
        by_class=numbers,
        why=why if row["trust"] else None,
        tile=int(row["tile"]) if row["tile"] else None,
        um_per_px=float(row["um/px"]) if row["um/px"] else None,
        area_px=float(row["area px"]) if row["area px"] else None,
        matched=row["brightness"] == _MATCHED,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _number(row: Mapping[str, str], *columns: str) -> Number:
    n, low, high = (int(value) if (value := row[safe(name)]) else None for name in columns)
    if n is None:
        raise ValueError("no number")
    return Number(n, low, high)


def safe(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula, and that UTF-8 can hold."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def plain(text: str) -> str:
    """What :func:`safe` made safe."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
