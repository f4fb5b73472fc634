"""Mend labels where nothing has to be guessed, and keep the originals.

What a person must decide is left as it is: sizes that fit no photo, boxes that lie mostly outside
or have no width, names of which none prevails.
"""

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.box_checks import (
    class_key,
    preferred,
    same_place,
    spellings,
    taking_part,
    tidy,
)
from cellcount.labels.pairing import Labelled, pair
from cellcount.labels.voc import Annotation, Box

Plan = list[tuple[Labelled, Annotation, list[str]]]  # whose, what it becomes, what was done
_INSIDE = 0.5  # share of a box that must lie in the photo for the rest to be cut off


def mend(folder: str | Path) -> Iterator[str]:
    """Mend the XML of a folder, and say each thing once it is done. Photos stay as they are.

    First the XML that will change are copied to ``before-check-<date>.zip`` in the same folder:
    a zip, because IceVision's parser would train on XML in a subfolder too. Mended files are
    written as labelImg writes them. Done again, nothing is left to do.

    Raises:
        CellCountError: there is no such folder, nothing in it, or it cannot be written to.
    """
    folder = Path(folder)
    labelled, _ = pair(folder)
    planned = plan(labelled)
    if planned:
        kept = _keep(folder, [one.xml for one, _, _ in planned])
        yield f"{kept}: keeps the {len(planned)} XML as they were."
    for one, mended, done in planned:
        voc.write(one.xml, mended)
        yield from (f"{one.xml}: {sentence}" for sentence in done)


def plan(labelled: Sequence[Labelled]) -> Plan:
    """What can be mended: the labels, what they become, and a sentence for each thing done."""
    labelled = taking_part(labelled)
    there = {path.name for one in labelled[:1] for path in one.xml.parent.iterdir()}
    placed = [_placed(one, there) for one in labelled]
    names = {
        label: preferred(spelt) or tidy(label)
        for spelt in spellings(annotation for annotation, _ in placed).values()
        for label in spelt
    }
    planned = []
    for one, (annotation, done) in zip(labelled, placed, strict=True):
        mended = _renamed(annotation, names, done)
        if done:
            planned.append((one, mended, done))
    return planned


def _keep(folder: Path, files: Iterable[Path]) -> Path:
    """Copy files into a new zip in the folder."""
    name = f"before-check-{date.today().isoformat()}"
    number = 1
    while (target := folder / f"{name}{f'-{number}' if number > 1 else ''}.zip").exists():
        number += 1
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
    except OSError as error:
        raise CellCountError(
            f"{target} cannot be written ({error.strerror}), so nothing was changed. Make room, or "
            "copy the folder to where you may write."
        ) from error
    return target


def _placed(one: Labelled, there: set[str]) -> tuple[Annotation, list[str]]:
    """The labels with everything mended but the class names, and what was done."""
    label, done = replace(one.annotation, lacks=()), []
    if any(problem.startswith("Box") for problem in one.annotation.lacks):
        done.append("Outlines without <bndbox> got one, their bounds.")
    if 0 in (label.width, label.height) and _all_inside(one):
        label = replace(label, width=one.width, height=one.height)
        done.append(f"<size> was missing, and is {one.width} × {one.height} as the photo's.")
    if _is_turned(one):
        label = replace(label, width=one.width, height=one.height)
        done.append(
            f"<size> was {one.height} × {one.width}, and is {one.width} × {one.height} as that of "
            "the upright photo, in which all of its boxes lie."
        )
    fits = (label.width, label.height) == (one.width, one.height)
    # A name that another photo bears may mean that the XML is that photo's.
    if fits and label.filename != one.photo.name and label.filename not in there:
        done.append(f"<filename> was {label.filename}, and is {one.photo.name}.")
        label = replace(label, filename=one.photo.name)
    boxes = []
    for number, box in enumerate(label.boxes, start=1):
        ordered = _ordered(box)
        if ordered != box:
            done.append(f"Box {number} was reversed; its corners are swapped.")
        clipped = _clipped(ordered, one) if fits else ordered
        if clipped != ordered:
            done.append(f"Box {number} stuck out of the photo, and ends at its edge.")
        boxes.append(clipped)
    label = replace(label, boxes=tuple(boxes))
    doubles = _doubles(label)
    done += [f"Box {i + 1} lay on box {first + 1}, and is deleted." for i, first in doubles.items()]
    kept = tuple(box for i, box in enumerate(label.boxes) if i not in doubles)
    return replace(label, boxes=kept), done


def _renamed(label: Annotation, names: Mapping[str, str], done: list[str]) -> Annotation:
    for old in sorted({box.label for box in label.boxes if names[box.label] != box.label}):
        done.append(f'The class name "{old}" is now "{names[old]}".')
    return replace(label, boxes=tuple(replace(b, label=names[b.label]) for b in label.boxes))


def _is_turned(one: Labelled) -> bool:
    """Whether only width and height were swapped: a box lies out of the stated frame, not of it."""
    label = one.annotation
    if (label.width, label.height) != (one.height, one.width) or one.width == one.height:
        return False
    right = max((max(box.xmin, box.xmax) for box in label.boxes), default=0)
    bottom = max((max(box.ymin, box.ymax) for box in label.boxes), default=0)
    fits_upright = right <= one.width and bottom <= one.height
    return fits_upright and not (right <= label.width and bottom <= label.height)


def _all_inside(one: Labelled) -> bool:
    """Whether there are boxes, and all lie in the photo: then they were drawn on it."""
    boxes = one.annotation.boxes
    return bool(boxes) and all(
        min(box.xmin, box.xmax, box.ymin, box.ymax) >= 0
        and max(box.xmin, box.xmax) <= one.width
        and max(box.ymin, box.ymax) <= one.height
        for box in boxes
    )


def _ordered(box: Box) -> Box:
    xmin, xmax = sorted((box.xmin, box.xmax))
    ymin, ymax = sorted((box.ymin, box.ymax))
    return replace(box, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def _clipped(box: Box, one: Labelled) -> Box:
    """The part of a box inside the photo, if most of it is; else the box as it is."""
    inside = replace(
        box,
        xmin=max(0, box.xmin),
        ymin=max(0, box.ymin),
        xmax=min(one.width, box.xmax),
        ymax=min(one.height, box.ymax),
    )
    width, height = inside.xmax - inside.xmin, inside.ymax - inside.ymin
    area = (box.xmax - box.xmin) * (box.ymax - box.ymin)
    return inside if min(width, height) > 0 and width * height >= _INSIDE * area else box


def _doubles(label: Annotation) -> dict[int, int]:
    """Boxes to delete, each with the earlier one of the same class that it repeats."""
    doubles: dict[int, int] = {}
    for first, second in same_place(label):
        names = {class_key(label.boxes[i].label) for i in (first, second)}
        if first not in doubles and len(names) == 1:
            doubles.setdefault(second, first)
    return doubles
