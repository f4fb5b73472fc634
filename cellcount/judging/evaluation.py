"""How right is a detector: found boxes against labels, and counts against counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.accuracy import CountAccuracy, count_accuracy, need_labels
from cellcount.calibration.matching import Prediction, match, match_overlaps, overlaps_of

COCO_IOUS = np.linspace(0.5, 0.95, 10)
_COCO_RECALLS = np.linspace(0.0, 1.0, 101)


def average_precision(photos: Sequence[Prediction]) -> NDArray[np.float64]:
    """AP at each of :data:`COCO_IOUS`; the first is AP50, the mean is what COCO calls AP.

    As in pycocotools: precision at 101 recalls, made monotonous, mean over the classes that have
    labels; but no box is left out, where COCO looks at 100 a photo.
    Lin et al., Microsoft COCO, ECCV 2014, https://cocodataset.org/#detection-eval

    Raises:
        CellCountError: nothing is labelled.
    """
    names = _classes(photos)
    groups = [[photo.only(name) for photo in photos] for name in names] if names else [photos]
    groups = [group for group in groups if any(len(photo.labels) for photo in group)]
    need_labels(len(groups))
    return np.mean([_one_class(group) for group in groups], axis=0)


def _one_class(photos: Sequence[Prediction]) -> list[float]:
    scores = np.concatenate([photo.scores for photo in photos])
    order = np.argsort(-scores, kind="stable")
    labelled = sum(len(photo.labels) for photo in photos)
    overlaps = [overlaps_of(photo) for photo in photos]
    result = []
    for iou in COCO_IOUS:
        pairs = zip(photos, overlaps, strict=True)
        matched = np.concatenate([match_overlaps(*pair, iou).matched for pair in pairs])
        hits = matched[order].cumsum()
        precision = hits / np.arange(1, len(hits) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(hits / labelled, _COCO_RECALLS)
        result.append(float(np.append(precision, 0.0)[at].mean()))
    return result


@dataclass(frozen=True)
class PhotoResult:
    """One photo's labels, its count, and its boxes above the threshold.

    ``matched`` of the ``boxes`` are cells. ``interval`` is the count's low and high, if it came
    with them; ``by_class`` has labels and boxes of each class, if there are classes.
    """

    photo: str
    labelled: int
    predicted: int
    boxes: int
    matched: int
    interval: tuple[int, int] | None = None
    by_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def row(self) -> dict[str, str | int]:
        """The photo as a row of a table, by column."""
        row: dict[str, str | int] = {
            "photo": self.photo,
            "labelled": self.labelled,
            "predicted": self.predicted,
            "error": self.predicted - self.labelled,
            "matched": self.matched,
            "false alarms": self.boxes - self.matched,
            "misses": self.labelled - self.matched,
        }
        if self.interval is not None:
            row |= {"low": self.interval[0], "high": self.interval[1]}
        for name, (labelled, boxes) in self.by_class.items():
            row |= {f"labelled {name}": labelled, f"predicted {name}": boxes}
        return row


@dataclass(frozen=True)
class Evaluation:
    """How right a detector is on ``photos``, box by box (at ``iou``) and count by count.

    ``precision``, ``recall`` and ``f1`` are over all photos together, above the threshold (or
    each photo's own); precision is NaN if no box is. ``covered`` is the number of photos whose
    labelled count lies in the count's interval, and ``width`` the median width of the intervals in
    percent of the count; both None if the counts have none.
    """

    photos: tuple[PhotoResult, ...]
    iou: float
    precision: float
    recall: float
    f1: float
    ap50: float
    ap: float
    counts: CountAccuracy
    covered: int | None
    width: float | None

    def rows(self) -> list[dict[str, str | int]]:
        """A row for each photo; all have the same columns."""
        return [photo.row() for photo in self.photos]

    def summary(self) -> dict[str, float]:
        """The figures over all photos, by name; the limits of agreement are two."""
        parts = asdict(self.counts)
        low, high = parts.pop("limits")
        names = ("precision", "recall", "f1", "ap50", "ap")
        figures = {name: getattr(self, name) for name in names}
        figures |= {**parts, "limit_low": low, "limit_high": high}
        if self.covered is not None and self.width is not None:
            figures |= {"covered": self.covered, "width": self.width}
        return figures


def evaluate(
    photos: Sequence[Prediction],
    threshold: float | Sequence[float],
    iou: float = 0.3,
    counts: Sequence[tuple[int, int, int]] | None = None,
) -> Evaluation:
    """Judge a detector on labelled photos that it has not learned from.

    Args:
        photos: all found boxes and the labels of each photo.
        threshold: the score above which a box is a cell; one for all photos, or one for each, as
            in a cross-validation, whose detectors differ. Its AP compares the scores of different
            detectors, which may make it lower than theirs.
        iou: overlap that makes a box a cell in precision, recall and F1.
        counts: n, low and high of each photo from a calibration; else a photo counts its boxes
            above the threshold.

    Raises:
        CellCountError: nothing is labelled.
        ValueError: not as many thresholds or counts as photos.
    """
    names = _classes(photos)
    thresholds = np.broadcast_to(np.asarray(threshold, dtype=float), len(photos))
    intervals = [None] * len(photos) if counts is None else counts
    results = []
    for photo, above, count in zip(photos, thresholds, intervals, strict=True):
        found = match(photo, iou)
        cells = found.scores > above
        results.append(
            PhotoResult(
                photo=photo.photo,
                labelled=found.labelled,
                predicted=int(cells.sum()) if count is None else count[0],
                boxes=int(cells.sum()),
                matched=int(found.matched[cells].sum()),
                interval=None if count is None else (count[1], count[2]),
                by_class={str(name): _per_class(photo.only(name), above) for name in names},
            )
        )
    average = average_precision(photos)
    labelled, boxes, matched = (
        sum(getattr(one, part) for one in results) for part in ("labelled", "boxes", "matched")
    )
    inside = [
        low <= one.labelled <= high
        for one, (_, low, high) in zip(results, counts or [], strict=False)
    ]
    widths = [100 * (high - low) / max(n, 1) for n, low, high in counts or []]
    return Evaluation(
        photos=tuple(results),
        iou=iou,
        precision=matched / boxes if boxes else np.nan,
        recall=matched / labelled,
        f1=2 * matched / (boxes + labelled),
        ap50=float(average[0]),
        ap=float(average.mean()),
        counts=count_accuracy(
            [one.predicted for one in results], [one.labelled for one in results]
        ),
        covered=None if counts is None else sum(inside),
        width=None if counts is None else float(np.median(widths)),
    )


def _per_class(photo: Prediction, threshold: float) -> tuple[int, int]:
    return len(photo.labels), int(np.sum(photo.scores > threshold))


def _classes(photos: Sequence[Prediction]) -> list[Any]:
    """Every class that is labelled or found on any photo; none if there are no classes."""
    found = [c for photo in photos for c in (photo.box_classes, photo.label_classes)]
    return sorted({name for classes in found if classes is not None for name in classes.tolist()})
