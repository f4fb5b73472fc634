"""What can be wrong with the labels of photos: a function a mistake.

A mistake is an error if it would stop the training or teach it something wrong, and a note if it is
only worth knowing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from cellcount.labels.boxes import box_iou
from cellcount.labels.findings import Finding
from cellcount.labels.pairing import Labelled
from cellcount.labels.voc import Annotation, Box

SAME = 0.9  # IoU above which two boxes are one cell: a person does not hit it twice by chance
DOMINANT = 0.8  # share of the boxes whose spelling is taken for the right one
_ODD = 8  # times as long, or as short, as the usual box; labelled needles differ by 5 at most
_ENOUGH = 10  # boxes of a class before any of them is called unusual
_LISTED = 5  # box numbers in one sentence

_OPEN_AND_SAVE = "Open the photo in labelImg, check that its boxes sit on the cells, and save."
_DRAW_AGAIN = "Draw them again in labelImg and save."


def check_boxes(labelled: Sequence[Labelled]) -> Iterator[Finding]:
    """Everything that is wrong with the labels of these photos, each judged against the others.

    What a model drew and nobody has confirmed takes no part, and is only named.
    """
    for one in labelled:
        if one.annotation.verified is False:
            problem = "A model drew its boxes and nobody has confirmed them: it takes no part."
            cure = "Open it in labelImg, correct the boxes, press space and save."
            yield Finding(one.xml, problem, cure, severity="note")
    labelled = taking_part(labelled)
    for one in labelled:
        yield from (finding for check in _CHECKS if (finding := check(one)))
    yield from _misspelt(labelled)
    yield from _odd_sizes(labelled)


def taking_part(labelled: Sequence[Labelled]) -> list[Labelled]:
    """Those whose boxes a person has drawn or confirmed."""
    return [one for one in labelled if one.annotation.verified is not False]


def _wrong_filename(labelled: Labelled) -> Finding | None:
    stated, photo = labelled.annotation.filename, labelled.photo.name
    if stated == photo or labelled.annotation.lacks:  # which is told
        return None
    problem = f"Its <filename> is {stated}, but the photo beside it is {photo}."
    return Finding(labelled.xml, problem, _OPEN_AND_SAVE)


def _wrong_size(labelled: Labelled) -> Finding | None:
    stated = labelled.annotation.width, labelled.annotation.height
    true = labelled.width, labelled.height
    if stated == true or labelled.annotation.lacks:
        return None
    problem = "Its <size> is {} × {} pixels, but the upright photo has {} × {}".format(
        *stated, *true
    )
    if stated == true[::-1]:
        problem += ": swapped, as if the camera's EXIF rotation was ignored while labelling."
        return Finding(labelled.xml, problem, _OPEN_AND_SAVE)
    if 0 in stated:
        return Finding(labelled.xml, f"{problem}.", "cellcount check --fix puts the photo's in.")
    problem += ": it was resized, cropped or exchanged after labelling."
    return Finding(labelled.xml, problem, "Bring the labelled photo back, or label this one anew.")


def _outside(labelled: Labelled) -> Finding | None:
    right, bottom = labelled.width, labelled.height
    return _bad_boxes(
        labelled,
        lambda box: min(box.xmin, box.ymin) < 0 or box.xmax > right or box.ymax > bottom,
        f"reach outside the photo of {right} × {bottom} pixels",
    )


def _reversed(labelled: Labelled) -> Finding | None:
    return _bad_boxes(
        labelled,
        lambda box: box.xmax < box.xmin or box.ymax < box.ymin,
        "are reversed, with min above max",
    )


def _empty(labelled: Labelled) -> Finding | None:
    return _bad_boxes(
        labelled,
        lambda box: box.xmax == box.xmin or box.ymax == box.ymin,
        "are empty, without width or height",
    )


def _named_background(labelled: Labelled) -> Finding | None:
    """The detector's own name for what is no cell; a class of that name would not be learned."""
    if not any(box.label == "background" for box in labelled.annotation.boxes):
        return None
    problem = "Its boxes are labelled background, which is the name for what is no cell."
    return Finding(labelled.xml, problem, "Give them another label in labelImg and save.")


def _bad_boxes(labelled: Labelled, bad: Callable[[Box], bool], how: str) -> Finding | None:
    numbers = [i for i, box in enumerate(labelled.annotation.boxes, start=1) if bad(box)]
    if not numbers:
        return None
    total = len(labelled.annotation.boxes)
    problem = f"{len(numbers)} of its {total} boxes (number {_list(numbers)}) {how}."
    return Finding(labelled.xml, problem, _DRAW_AGAIN)


def _list(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:_LISTED])) + (", ..." if len(items) > _LISTED else "")


def _duplicated(labelled: Labelled) -> Finding | None:
    pairs = [f"{first + 1} and {second + 1}" for first, second in same_place(labelled.annotation)]
    if not pairs:
        return None
    problem = f"Boxes lie on one another, more than {SAME:.0%} of both alike: {_list(pairs)}."
    return Finding(labelled.xml, problem, "Delete one of each two in labelImg and save.")


def same_place(annotation: Annotation) -> Iterator[tuple[int, int]]:
    """Pairs of boxes, by index, that are almost the same: the earlier one first."""
    corners = np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in annotation.boxes], float)
    corners = corners.reshape(-1, 4)
    proper = np.all(corners[:, :2] < corners[:, 2:], axis=1)
    for first in np.flatnonzero(proper):
        overlaps = box_iou(corners[first], corners[first + 1 :])[0]
        for offset in np.flatnonzero((overlaps > SAME) & proper[first + 1 :]):
            yield int(first), int(first + 1 + offset)


def spellings(annotations: Iterable[Annotation]) -> Mapping[str, Counter[str]]:
    """For each class, apart from case and blanks, how many boxes spell it in which way."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for annotation in annotations:
        for box in annotation.boxes:
            found[class_key(box.label)][box.label] += 1
    return found


def preferred(spelt: Counter[str]) -> str | None:
    """The spelling, without needless blanks, that clearly dominates; None if none does."""
    tidied: Counter[str] = Counter()
    for label, boxes in spelt.items():
        tidied[tidy(label)] += boxes
    ((label, boxes),) = tidied.most_common(1)
    return label if boxes >= DOMINANT * spelt.total() else None


def tidy(label: str) -> str:
    """The class name without blanks at its ends and with single ones between words."""
    return " ".join(label.split())


def class_key(label: str) -> str:
    """What all spellings of a class name have in common: the name apart from case and blanks."""
    return tidy(label).casefold()


def _misspelt(labelled: Sequence[Labelled]) -> Iterator[Finding]:
    spelt = spellings(one.annotation for one in labelled)
    for one in labelled:
        for label in sorted({box.label for box in one.annotation.boxes}):
            variants = spelt[class_key(label)]
            if label == preferred(variants) or (len(variants) == 1 and label == tidy(label)):
                continue
            if len(variants) == 1:
                problem = f'Its class name "{label}" has blanks that nobody sees.'
                cure = f'Call it "{tidy(label)}" everywhere.'
                yield Finding(one.xml, problem, cure, severity="note")
                continue
            others = " and ".join(f'"{other}"' for other in sorted(variants) if other != label)
            problem = (
                f'Its class name "{label}" differs from {others} only by case or blanks, so the '
                "training would take them for different kinds."
            )
            yield Finding(one.xml, problem, "Use one spelling everywhere.")


def _odd_sizes(labelled: Sequence[Labelled]) -> Iterator[Finding]:
    """Boxes far from the usual length of their class, as a share of the photo's longest side."""
    lengths: dict[str, list[float]] = defaultdict(list)
    for one in labelled:
        for box in one.annotation.boxes:
            lengths[class_key(box.label)].append(_length(one, box))
    usual = {key: median(found) for key, found in lengths.items() if len(found) >= _ENOUGH}
    for one in labelled:
        odd = [
            f"{number} ({box.xmax - box.xmin} × {box.ymax - box.ymin})"
            for number, box in enumerate(one.annotation.boxes, start=1)
            if (middle := usual.get(class_key(box.label)))
            and not middle / _ODD <= _length(one, box) <= middle * _ODD
            and _length(one, box)  # an empty box is named as such
        ]
        if odd:
            problem = f"Boxes are over {_ODD} times as long or as short as usual: {_list(odd)}."
            cure = "Look whether a slip of the mouse drew them."
            yield Finding(one.xml, problem, cure, severity="note")


def _length(one: Labelled, box: Box) -> float:
    side = max(abs(box.xmax - box.xmin), abs(box.ymax - box.ymin))
    return side / max(one.width, one.height)


_CHECKS = (
    _wrong_filename,
    _wrong_size,
    _outside,
    _reversed,
    _empty,
    _duplicated,
    _named_background,
)
