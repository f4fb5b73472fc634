"""The boxes of what was counted, to be checked in the program that people know."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cellcount.counting.count import Count
from cellcount.errors import CellCountError
from cellcount.labels.writing import Moved, boxed, write_labels
from cellcount.photos.view import inside

# What parts folders or drives, and what was no UTF-8, which no file of labels can name.
_NOT_IN_A_NAME = re.compile(r"[/\\:\ud800-\udfff]")


def write_boxes(
    counts: Sequence[Count], photos: Mapping[str, Path], label: str, target: Path, format: str
) -> Moved:
    """Copy photos and write the boxes of their cells, in the layout of another program.

    The photos get their names in the table, with ``-`` for what parts folders. The boxes are marked
    as a model's work.

    Args:
        counts: with the boxes of all cells that were found.
        photos: of the counts, by their names in the table.
        label: class of the cells of a detector that knows one only.
        target: folder to make.
        format: one of ``WRITTEN``.

    Raises:
        CellCountError: ``target`` is there already or cannot be written, or a photo is gone.
    """
    names = flat_names(one.photo for one in counts)
    labelled = [
        boxed(
            photos[one.photo],
            one.boxes,
            [label] * len(one.boxes) if one.kinds is None else one.kinds.tolist(),
            names[one.photo],
        )
        for one in counts
    ]
    return write_labels(labelled, target, format)


def refuse_several(photos: Iterable[Path]) -> None:
    """Refuse photos that are parts of a file: a file of labels cannot name them.

    Raises:
        CellCountError: names the first.
    """
    for photo in photos:
        if inside(photo).file != photo:
            raise CellCountError(
                f"No boxes can be written for {photo}, which is one of several photos in a file: "
                "save it as a file of its own, or count without --boxes."
            )


def flat_names(names: Iterable[str]) -> dict[str, str]:
    """Names for photos in one folder, by those in the table, also without suffix none twice."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        path = PurePosixPath(_NOT_IN_A_NAME.sub("-", name))
        stem, number = path.stem, 1
        while stem.casefold() in taken:  # which some file systems take for the same
            number += 1
            stem = f"{path.stem}-{number}"
        taken.add(stem.casefold())
        found[name] = stem + path.suffix
    return found
