"""How much work a model's boxes leave to a person, beside drawing every box by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cellcount.bars import Bar
from cellcount.calibration.matching import Prediction, beside_labels, match
from cellcount.counting.counter import Counter
from cellcount.detector.finetuning import MINUTES, finetune
from cellcount.errors import CellCountError
from cellcount.labelling.prelabelling import draw
from cellcount.labels.confirmed import labelled_photos

_NEAR = 0.1  # a box that covers so much of its cell is pulled into place sooner than drawn anew


@dataclass(frozen=True)
class AnnotationEffort:
    """What a person does to boxes that a model drew until they are as the labels.

    ``kept`` boxes are right, ``moved`` ones lie near their cell or name the wrong kind, ``deleted``
    ones hold no cell of their own; ``drawn`` cells had no box.
    """

    kept: int
    moved: int
    deleted: int
    drawn: int

    @property
    def touched(self) -> int:
        """How many boxes a person moves, deletes or draws."""
        return self.moved + self.deleted + self.drawn

    @property
    def by_hand(self) -> int:
        """How many boxes a person would draw without the model: one a cell."""
        return self.kept + self.moved + self.drawn

    @property
    def share(self) -> float:
        """``touched`` in percent of ``by_hand``; above 100 the model is no help."""
        return 100 * self.touched / max(self.by_hand, 1)

    def __add__(self, other: "AnnotationEffort") -> "AnnotationEffort":
        """The work on both."""
        return AnnotationEffort(
            self.kept + other.kept,
            self.moved + other.moved,
            self.deleted + other.deleted,
            self.drawn + other.drawn,
        )


def effort(photo: Prediction, iou: float = 0.5) -> AnnotationEffort:
    """Count what a person would change on one photo.

    Args:
        photo: the boxes that were drawn, no others, and the labels.
        iou: overlap from which a box is left as it is. At 0.5 people agree that a box fits; around
            a needle of 10 px width it asks for 3 px, closer than two people draw, so 0.3 tells how
            many boxes are on the right cell.
    """
    first = match(photo, iou)
    wrong, missing = first.false_alarms, first.misses
    rest = replace(
        photo,
        boxes=photo.boxes[wrong],
        scores=photo.scores[wrong],
        labels=photo.labels[missing],
        box_classes=None,  # a box of the wrong kind is renamed, which is one touch as well
        label_classes=None,
    )
    second = match(rest, _NEAR)
    return AnnotationEffort(
        kept=int(first.matched.sum()),
        moved=int(second.matched.sum()),
        deleted=len(second.false_alarms),
        drawn=len(second.misses),
    )


def measure(folder: str | Path, labelled: int, minutes: float = MINUTES, seed: int = 0) -> None:
    """Train on some labelled photos, and print what is left to do on the others.

    Args:
        folder: labelled photos.
        labelled: how many the model may learn from, as train.ipynb does on a laptop.
        minutes: that the training may take.
        seed: decides which, and all chance in the training.

    Raises:
        CellCountError: there are too few photos, or their labels cannot be used.
    """
    photos = labelled_photos(folder)
    if not 2 <= labelled < len(photos):
        raise CellCountError(
            f"{folder} has {len(photos)} labelled photos: measure with 2 to {len(photos) - 1} of "
            "them, so that there are some to learn from and some to draw on."
        )
    chosen = set(np.random.default_rng(seed).permutation(len(photos))[:labelled].tolist())
    learned = [photo for i, photo in enumerate(photos) if i in chosen]
    with TemporaryDirectory() as scratch:
        model = Path(scratch) / "few.pth"
        finetune(folder, model, photos=learned, minutes=minutes, seed=seed)
        print_effort(model, [photo for photo in photos if photo not in learned])


def print_effort(model: str | Path, photos: Sequence[Path]) -> None:
    """Let a model draw boxes on labelled photos, and print what a person would have to change.

    One table is for a strict person, who leaves a box as it is from an IoU of 0.5 with the label,
    and one for a lenient one, 0.3.

    Args:
        model: a checkpoint.
        photos: with their labels beside them.

    Raises:
        CellCountError: a file cannot be read.
    """
    counter = Counter(model)
    found = []
    for photo in Bar(photos, "Drawing boxes", unit="photo", leave=False):
        drawn = draw(counter, photo)
        found.append(beside_labels(photo, drawn.boxes, drawn.scores, drawn.labels))
    names = [*(photo.name for photo in photos), "all photos"]
    width = max(map(len, names))
    for iou in (0.5, 0.3):
        print(f"\nA box is left as it is from an IoU of {iou} with its label:")
        print(f"{'photo':{width}}  cells  kept  moved  deleted  drawn  touched")
        each = [effort(one, iou) for one in found]
        for name, one in zip(names, [*each, sum(each[1:], each[0])], strict=True):
            print(
                f"{name:{width}}  {one.by_hand:5}  {one.kept:4}  {one.moved:5}  {one.deleted:7}  "
                f"{one.drawn:5}  {one.share:6.1f} %"
            )
