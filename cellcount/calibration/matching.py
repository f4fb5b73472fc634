"""Which found box is which labelled cell.

Boxes are (xmin, ymin, xmax, ymax) in pixels; found boxes and labels of a photo share one frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.labels import voc
from cellcount.labels.boxes import box_iou
from cellcount.photos.reading import photo_size


@dataclass(frozen=True)
class Prediction:
    """What a detector found on one photo, beside what a person labelled there.

    ``boxes`` is (n, 4), ``scores`` (n,), ``labels`` (m, 4): every box the detector gave, also the
    unlikely ones. With several kinds of cells, ``box_classes`` (n,) and ``label_classes`` (m,)
    name the kind of each; a box and a label of different kinds never match.
    """

    photo: str
    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    labels: NDArray[np.floating]
    box_classes: NDArray[Any] | None = None
    label_classes: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that do not fit, which would otherwise match the wrong things."""
        n, m = len(self.boxes), len(self.labels)
        if len(self.scores) != n:
            raise ValueError(f"{self.photo}: {n} boxes have {len(self.scores)} scores")
        if (self.box_classes is None) != (self.label_classes is None):
            raise ValueError(f"{self.photo}: boxes and labels need classes both, or neither")
        for classes, number in ((self.box_classes, n), (self.label_classes, m)):
            if classes is not None and len(classes) != number:
                raise ValueError(f"{self.photo}: {number} boxes have {len(classes)} classes")

    def only(self, name: Any) -> "Prediction":
        """The boxes and labels of one class."""
        if self.box_classes is None or self.label_classes is None:
            raise ValueError(f"{self.photo}: the boxes have no classes")
        mine, labelled = self.box_classes == name, self.label_classes == name
        return Prediction(self.photo, self.boxes[mine], self.scores[mine], self.labels[labelled])

    @property
    def classless(self) -> "Prediction":
        """The same boxes and labels, all of one class."""
        return replace(self, box_classes=None, label_classes=None)


def classes_of(photos: Iterable[Prediction]) -> list[Any]:
    """Every class that is labelled or found on any photo; none if there are no classes."""
    found = [c for photo in photos for c in (photo.box_classes, photo.label_classes)]
    return sorted({name for classes in found if classes is not None for name in classes.tolist()})


@dataclass(frozen=True)
class Match:
    """Which found box is which label on one photo.

    ``scores`` (n,) and ``label_of`` (n,) go with the found boxes; ``label_of`` is the index of the
    label that a box matched, -1 for a false alarm. ``labelled`` is the number of labels.
    """

    scores: NDArray[np.floating]
    label_of: NDArray[np.intp]
    labelled: int

    @classmethod
    def of_all(cls, photos: Sequence["Match"]) -> "Match":
        """Several photos as if they were one."""
        before = np.cumsum([0, *(one.labelled for one in photos)])
        label_of = [
            np.where(one.matched, one.label_of + labels, -1)
            for one, labels in zip(photos, before[:-1], strict=True)
        ]
        scores = np.concatenate([one.scores for one in photos])
        return cls(scores, np.concatenate(label_of), int(before[-1]))

    @property
    def matched(self) -> NDArray[np.bool_]:
        """(n,), whether each found box is a cell."""
        return self.label_of >= 0

    @property
    def false_alarms(self) -> NDArray[np.intp]:
        """Indices of the found boxes that are no cell."""
        return np.flatnonzero(~self.matched)

    @property
    def misses(self) -> NDArray[np.intp]:
        """Indices of the labels that were not found."""
        return np.setdiff1d(np.arange(self.labelled), self.label_of)


def match(photo: Prediction, iou: float = 0.3) -> Match:
    """Give each found box, the surest first, the best label that is still free, as COCO does.

    Two boxes on one cell are one match and one false alarm. A box never takes a label from a
    surer one, so the boxes above any threshold match as if there were no others.

    Args:
        photo: found boxes and labels.
        iou: overlap that a match needs. COCO asks for 0.5; on a needle of 10 px width that is lost
            by a shift of 3 px, hence 0.3.
    """
    return match_overlaps(photo, overlaps_of(photo), iou)


def overlaps_of(photo: Prediction) -> NDArray[np.float64]:
    """IoU (n, m) of a photo's boxes and labels, 0 between different classes."""
    overlaps = box_iou(photo.boxes, photo.labels)
    if photo.box_classes is not None and photo.label_classes is not None:
        overlaps[photo.box_classes[:, None] != photo.label_classes[None]] = 0
    return overlaps


def match_overlaps(photo: Prediction, overlaps: NDArray[np.float64], iou: float) -> Match:
    """:func:`match` with the overlaps (n, m) at hand."""
    label_of = np.full(len(photo.scores), -1)
    free = np.ones(len(photo.labels), dtype=bool)
    enough = overlaps >= iou
    for box in np.argsort(-photo.scores, kind="stable"):
        # From the last label to the first: of equally good ones COCO takes the last.
        near = np.flatnonzero(enough[box] & free)[::-1]
        if len(near):
            label_of[box] = near[overlaps[box, near].argmax()]
            free[label_of[box]] = False
    return Match(photo.scores, label_of, len(photo.labels))


def predictions(found: Iterable[Any]) -> list[Prediction]:
    """Take what IceVision's ``predict_from_dl`` returned for labelled photos.

    Boxes and labels are in pixels of the photo; ``resize_and_pad`` is undone. Classes are left out
    if there is only one.

    Args:
        found: with a low ``detection_threshold``, so that unlikely boxes are there too.
    """
    return [_prediction(one) for one in found]


def _prediction(found: Any) -> Prediction:
    truth, seen = found.ground_truth, found.pred
    size = photo_size(truth.filepath)
    scale = max(size) / max(truth.height, truth.width)
    # resize_and_pad makes a square, with half of what a side lacks before it.
    edge = np.array([max(size) - size[0], max(size) - size[1]] * 2) / 2

    def boxes(detection: Any) -> NDArray[np.float64]:
        return np.array([box.xyxy for box in detection.bboxes]).reshape(-1, 4) * scale - edge

    classes = np.array(truth.detection.class_map.get_classes())
    several = len(classes) > 2  # the background is one
    return Prediction(
        Path(truth.filepath).name,
        boxes(seen.detection),
        np.asarray(seen.detection.scores, dtype=float),
        boxes(truth.detection),
        classes[np.array(seen.detection.label_ids, dtype=int)] if several else None,
        classes[np.array(truth.detection.label_ids, dtype=int)] if several else None,
    )


def beside_labels(
    photo: Path,
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    kinds: NDArray[np.str_] | None,
) -> Prediction:
    """What was found on a photo beside what its XML says.

    Args:
        photo: its file.
        boxes: (n, 4): xmin, ymin, xmax, ymax in pixels of the photo.
        scores: (n,).
        kinds: (n,), the class of each box; None if classes do not matter.
    """
    labels = voc.read(photo.with_suffix(".xml")).boxes
    return Prediction(
        photo.name,
        boxes,
        scores,
        np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in labels]).reshape(-1, 4),
        kinds,
        None if kinds is None else np.array([b.label for b in labels], dtype=str),
    )
