"""The boxes behind a table of counts: a line of JSON for each photo, in a file beside the table.

So what was counted can be looked at after the run that has counted it, and after one that was
stopped. A line is written before the photo's row. It says what has counted the photo, as the row
does: a row takes the last line of its photo and its maker, and none of another's.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from cellcount.counting.count import Count
from cellcount.files import replacing


def found_beside(table: Path) -> Path:
    """Where the boxes of a table are."""
    return table.with_name(f"{table.stem}-found.jsonl")


class FoundBoxes:
    """Writes the boxes of one run.

    Args:
        table: whose counts they belong to.
        made_by: what is counting them, as the table has it.
    """

    def __init__(self, table: Path, made_by: Iterable[str]) -> None:
        self._path, self._by = found_beside(table), _maker(made_by)
        self._file: IO[bytes] | None = None

    def add(self, count: Count) -> None:
        """Keep the boxes of a count.

        Raises:
            OSError: they cannot be written.
        """
        kinds: list[str] = [] if count.kinds is None else count.kinds.tolist()
        classes = sorted({*kinds})
        line = {
            "photo": count.photo,
            "by": self._by,
            "boxes": np.round(count.boxes, 1).tolist(),
            "scores": np.round(count.scores, 3).tolist(),
            "classes": classes,
            "kinds": [classes.index(kind) for kind in kinds],
        }
        if self._file is None:
            self._file = self._path.open("ab")
            if self._file.tell():
                self._file.write(b"\n")  # power may have gone in the midst of the last line
        self._file.write(_text(line))
        self._file.flush()

    def keep_only(self, photos: Collection[str]) -> None:
        """Leave out what belongs to none of these photos, or was counted by something else.

        Raises:
            OSError: the file cannot be replaced.
        """
        self.close()
        if self._path.exists():
            mine = (line["photo"] for line in self._mine(photos))
            last = {name: place for place, name in enumerate(mine)}
            with replacing(self._path) as part, part.open("wb") as file:
                for place, line in enumerate(self._mine(photos)):
                    if last[line["photo"]] == place:
                        file.write(_text(line))

    def _mine(self, photos: Collection[str]) -> Iterator[dict[str, Any]]:
        for line in _lines(self._path):
            if line["photo"] in photos and line["by"] == self._by:
                yield line

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = None


def with_boxes(counts: Mapping[str, tuple[Count, Iterable[str]]], table: Path) -> dict[str, Count]:
    """The counts of a table with their boxes; those whose boxes were not kept are left out.

    Args:
        counts: by the photos' names, each with what has counted it.
        table: that has them.
    """
    makers = {name: _maker(made_by) for name, (_, made_by) in counts.items()}
    found = {}
    with suppress(OSError):
        for line in _lines(found_beside(table)):
            name = line["photo"]
            if makers.get(name) == line["by"]:
                one = counts[name][0]
                classes = np.array(line["classes"], dtype=str)
                found[name] = replace(
                    one,
                    boxes=np.array(line["boxes"], dtype=float).reshape(-1, 4),
                    scores=np.array(line["scores"], dtype=float),
                    kinds=classes[np.array(line["kinds"], dtype=int)] if one.by_class else None,
                )
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file that are whole."""
    with path.open("rb") as file:
        for text in file:
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict) and line.keys() >= {"photo", "by", "boxes"}:
                    yield line


def _text(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _maker(made_by: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(made_by).encode()).hexdigest()[:16]
