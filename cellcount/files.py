"""Files that are there whole or not at all, known by their content, and names to print."""

import hashlib
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


def digest(path: Path, of: str = "") -> str:
    """The first 16 hex digits of the SHA-256 sum of a file's content.

    Args:
        path: of the file.
        of: what else decides the sum.

    Raises:
        OSError: whatever keeps the file from being read.
    """
    summed = hashlib.sha256(of.encode())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            summed.update(chunk)
    return summed.hexdigest()[:16]


def printable(path: str | Path) -> str:
    r"""A name that can be printed and written: ``z\xe4hl.jpg`` where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
