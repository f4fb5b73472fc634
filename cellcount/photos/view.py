"""Which picture is meant of a file that holds several: ``View``, and names as ``a.tif[T3,S1]``.

Times, scenes and pages are photos of their own, so their numbers stand behind the name of the file.
Channels and slices belong to one photo, and the same ones are wanted of every photo of a folder: a
``View`` says which. All numbers begin with 1, as in ImageJ.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cellcount.errors import CellCountError

COLOURS = "rgb"
SHARPEST, MAX = "sharpest", "max"

_VARIABLES = {"channel": "CELLCOUNT_CHANNEL", "z": "CELLCOUNT_Z"}
_INSIDE = re.compile(r"(.+)\[((?:[TSP][1-9][0-9]{0,8},?)+)\]")


@dataclass(frozen=True)
class View:
    """What is read of each photo.

    ``channel`` is the name that the file gives it, in any case, or its number; of a photo in colour
    it is red, green or blue, and ``rgb`` leaves the colours as they are, even where a single
    channel is shown in one. Of several slices ``z`` takes the ``sharpest``, the brightest value of
    each pixel (``max``, the maximum projection), or the one of that number; None takes the
    sharpest.

    Where a file does not say what its pages are, each is a photo. With ``z`` they are the slices of
    one photo, with ``channel`` its channels.

    Raises:
        CellCountError: ``z`` is none of these.
    """

    channel: str | int | None = None
    z: str | int | None = None

    def __post_init__(self) -> None:
        """Refuse a slice that cannot be."""
        z = str(self.z)
        if self.z is not None and z not in (SHARPEST, MAX) and not re.fullmatch("[1-9][0-9]*", z):
            raise CellCountError(
                f"There is no slice {z}: give max, sharpest, or the number of a slice from 1 on."
            )

    def to_meta(self) -> dict[str, Any]:
        """For the meta of a checkpoint; empty if nothing was said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @contextmanager
    def chosen_for_all(self) -> Iterator[None]:
        """Within the block, photos are read so for which nothing else is asked; in children too."""
        before = {variable: os.environ.get(variable) for variable in _VARIABLES.values()}
        os.environ.update({_VARIABLES[name]: str(one) for name, one in self.to_meta().items()})
        try:
            yield
        finally:
            for variable, value in before.items():
                os.environ.pop(variable, None)
                if value is not None:
                    os.environ[variable] = value

    @classmethod
    def chosen(cls) -> "View":
        """What the environment says, in CELLCOUNT_CHANNEL and CELLCOUNT_Z.

        Raises:
            CellCountError: it names no slice.
        """
        return cls(**{name: os.environ.get(variable) for name, variable in _VARIABLES.items()})

    @classmethod
    def learned(cls, meta: Mapping[str, Any]) -> "View":
        """That of the photos that a checkpoint has learned from, where none is chosen."""
        own = cls.chosen()
        return own if own.to_meta() else cls(**meta.get("view", {}))


class Inside(NamedTuple):
    """A photo inside a file: None where the file is not said to hold several."""

    file: Path
    scene: int | None = None
    time: int | None = None
    page: int | None = None

    def __str__(self) -> str:
        """The name under which it is read and stands in tables, as a.tif[T3,S1]."""
        numbers = zip("TSP", (self.time, self.scene, self.page), strict=True)
        inside = ",".join(f"{axis}{number}" for axis, number in numbers if number is not None)
        return f"{self.file}[{inside}]" if inside else str(self.file)


def inside(path: Path) -> Inside:
    """Part the name of a photo into its file and the numbers in brackets, if it has any."""
    found = _INSIDE.fullmatch(path.name)
    if found is None or path.exists():
        return Inside(path)
    numbers = {part[0]: int(part[1:]) for part in found[2].split(",") if part}
    file = path.with_name(found[1])
    return Inside(file, numbers.get("S"), numbers.get("T"), numbers.get("P"))
