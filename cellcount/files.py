"""Files that are there whole or not at all, and names of files that can be printed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to beside ``path``, whose place it takes when the block ends without error.

    Raises:
        OSError: whatever keeps the file from being written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def printable(path: str | Path) -> str:
    r"""A name that can be printed and written: ``z\xe4hl.jpg`` where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
