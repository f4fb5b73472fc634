"""What the readers of all formats share: files read within bounds, and errors in plain words."""

import csv
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cellcount.errors import CellCountError
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Wrong

# What zipfile raises of damaged ones, and of those with a password (RuntimeError).
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError)
# What strange content raises of the code that expects something else.
_STRANGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, csv.Error)
_LARGEST = 256_000_000  # bytes of one file; Python needs up to 20 times as much for its content


def load(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        CellCountError: it cannot be read, is damaged or too large.
    """
    state = path.stat()
    return _load(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)  # each format looks at a file in turn before one of them reads it
def _load(path: Path, _changed: int, _size: int) -> Any:
    try:
        return json.loads(whole(path))
    except (ValueError, RecursionError) as error:
        raise CellCountError(
            f"{path} is cut short or damaged ({error}): export or copy it again."
        ) from error


def loaded(path: Path, *suffixes: str) -> Any:
    """What a JSON file holds; None if it has none of the suffixes or cannot be read."""
    if path.suffix.lower() not in (suffixes or (".json",)):
        return None
    try:
        return load(path)
    except (CellCountError, OSError):
        return None


def whole(path: Path, largest: int = _LARGEST) -> bytes:
    """The bytes of a file of labels.

    Raises:
        CellCountError: it cannot be read or is too large.
    """
    try:
        size = path.stat().st_size
        if size > largest:
            raise CellCountError(
                f"{path} has {size / 1e6:.0f} MB, and labels of at most {largest / 1e6:.0f} MB "
                "are read: export the photos in several parts."
            )
        return path.read_bytes()
    except OSError as error:
        raise CellCountError(f"{path} cannot be read ({error.strerror}).") from error


@contextmanager
def understood(path: Path, kind: str) -> Iterator[None]:
    """Say in a sentence what is missing or wrong in a file of a program.

    Raises:
        CellCountError: in the place of whatever strange content raises.
    """
    try:
        yield
    except CellCountError:
        raise
    except Wrong as error:
        raise _incomplete(path, kind, str(error)) from error
    except KeyError as error:
        raise _incomplete(path, kind, f"it lacks {error}") from error
    except _STRANGE as error:
        raise _incomplete(path, kind, f"it is laid out otherwise: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise _incomplete(path, kind, "it is nested too deeply or too large") from error


def _incomplete(path: Path, kind: str, why: str) -> CellCountError:
    return CellCountError(f"{path} is no complete {kind} file ({why}): mend or export it again.")


def by_file(
    read: Callable[[Path, Photos], Iterable[Foreign]], kind: str
) -> Callable[[Sequence[Path], Photos], list[Foreign]]:
    """The reader of many files that reads them one by one.

    Args:
        read: gives the photos that one file labels.
        kind: of the files, to be named where one is damaged or incomplete: as a CellCountError.
    """

    def read_all(paths: Sequence[Path], photos: Photos) -> list[Foreign]:
        found: list[Foreign] = []
        for path in paths:
            with understood(path, kind):
                found += read(path, photos)
        return found

    return read_all
