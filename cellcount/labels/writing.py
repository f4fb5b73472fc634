"""Photos and labels written in the layout of another program."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels import voc
from cellcount.labels.formats.foreign import Boxed
from cellcount.labels.sources import module_of
from cellcount.photos.reading import photo_size

UNCONFIRMED = "UNCONFIRMED.txt"
_WHY = """\
A model has drawn the boxes in this folder, and nobody has confirmed them. So cellcount import keeps
them apart from those of people: nothing learns from them. Once you have checked and corrected them
all, delete this file, and they are imported as yours.
"""


class Moved(NamedTuple):
    """How many photos and boxes were imported or exported, and how many photos have no box."""

    photos: int
    boxes: int
    empty: int


def write_labels(labelled: Sequence[Boxed], target: str | Path, format: str) -> Moved:
    """Copy photos and write their labels, in the layout of ``format``, into a new folder.

    Boxes of a model stay such: Pascal VOC says so itself, beside the others lies ``UNCONFIRMED``.

    Args:
        labelled: photos of different names, with their labels; :func:`boxed` makes them of boxes.
        target: folder to make.
        format: one of ``WRITTEN``.

    Raises:
        CellCountError: ``target`` is there already, or it cannot be written.
    """
    target = Path(target)
    refuse_full(target)
    module = module_of(format)
    try:
        (target / module.IMAGES).mkdir(parents=True, exist_ok=True)
        module.write(labelled, target)
        for photo, annotation in labelled:
            copy(photo, target / module.IMAGES / annotation.filename)
        if format != "voc" and any(one.annotation.verified is False for one in labelled):
            (target / UNCONFIRMED).write_text(_WHY, encoding="utf-8")
    except OSError as error:
        raise unwritable(target, error) from error
    return moved([annotation for _, annotation in labelled])


def boxed(
    photo: str | Path, boxes: ArrayLike, labels: Sequence[str], name: str | None = None
) -> Boxed:
    """A photo with boxes that a detector found, to be written for another program.

    Corners are rounded to whole pixels, halves to the even one, and end at the photo's edge.

    Args:
        photo: file.
        boxes: (n, 4) as xmin, ymin, xmax, ymax in pixels of the upright photo.
        labels: n classes.
        name: under which the photo is kept; None keeps its own.

    Raises:
        PhotoError: the photo cannot be read.
    """
    photo, size = Path(photo), photo_size(photo)
    whole = np.asarray(boxes, dtype=float).reshape(-1, 4).round().astype(int)
    corners = whole.clip(0, [*size, *size]).tolist()
    drawn = (voc.Box(label, *four) for label, four in zip(labels, corners, strict=True))
    return Boxed(photo, voc.Annotation(name or photo.name, *size, tuple(drawn), False))


def refuse_full(target: Path) -> None:
    """Leave alone what is in the place of a folder to make, unless it is an empty one.

    Raises:
        CellCountError: something is there.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise CellCountError(
            f"{target} is there already and is not replaced: move it away, or choose another name."
        )


def copy(photo: Path, target: Path) -> None:
    """Copy a photo, whole or not at all.

    Raises:
        OSError: it cannot be read or written.
    """
    with replacing(target) as part:
        shutil.copyfile(photo, part)


def moved(annotations: Sequence[voc.Annotation]) -> Moved:
    """The figures of what was moved."""
    boxes = [len(annotation.boxes) for annotation in annotations]
    return Moved(len(boxes), sum(boxes), boxes.count(0))


def unwritable(folder: Path, error: OSError) -> CellCountError:
    """What to tell the user about a folder that cannot be written to."""
    return CellCountError(
        f"{folder} cannot be written to ({error.strerror}). Choose a folder that you may write to "
        "and that has room."
    )
