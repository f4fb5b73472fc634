"""How right is a detector: found boxes against labels, and counts against counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.accuracy import CountAccuracy, count_accuracy, need_labels
from cellcount.calibration.matching import (
    Prediction,
    classes_of,
    match,
    match_overlaps,
    overlaps_of,
)
from cellcount.counting.count import Count, Number

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
    names = classes_of(photos)
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
    with them; ``by_class`` has the labels and the count of each class, if there are classes.
    ``why`` are the reasons to look at the photo; None if that is not known.
    """

    photo: str
    labelled: int
    predicted: int
    boxes: int
    matched: int
    interval: tuple[int, int] | None = None
    by_class: Mapping[str, tuple[int, Number]] = field(default_factory=dict)
    why: tuple[str, ...] | None = None

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
        for name, (labelled, number) in self.by_class.items():
            row |= {f"labelled {name}": labelled, f"predicted {name}": number.n}
            if number.low is not None and number.high is not None:
                row |= {f"{name} low": number.low, f"{name} high": number.high}
        if self.why is not None:
            row["look"] = ", ".join(self.why)
        return row


class ClassResult(NamedTuple):
    """How right a detector is about one class, on all photos together.

    ``off`` is the sum of all absolute errors of its counts in percent of its labels; ``share`` and
    ``labelled_share`` are its part of all cells as counted and as labelled, from 0 to 1. What is
    not defined for lack of labels or boxes is NaN. On ``covered`` of the ``with_interval`` photos
    its labelled number lies in the interval.
    """

    ap50: float
    labelled: int
    predicted: int
    off: float
    labelled_share: float
    share: float
    with_interval: int
    covered: int | None


@dataclass(frozen=True)
class Confusion:
    """Which class was found where which is labelled: ``table[i, j]`` cells.

    The last row are found boxes where no cell is labelled, the last column missed cells.
    """

    classes: tuple[str, ...]
    table: NDArray[np.int64]

    def rows(self) -> list[dict[str, str | int]]:
        """A row for each labelled class; all have the same columns."""
        found = [f"found as {name}" for name in self.classes] + ["missed"]
        return [
            {"labelled as": name, **dict(zip(found, map(int, row), strict=True))}
            for name, row in zip((*self.classes, "no cell"), self.table, strict=True)
        ]


@dataclass(frozen=True)
class Evaluation:
    """How right a detector is on ``photos``, box by box (at ``iou``) and count by count.

    ``precision``, ``recall`` and ``f1`` are over all photos together, above the threshold (or
    each photo's own); precision is NaN if no box is. ``covered`` of the ``with_interval`` photos
    have their labelled count in the count's interval, and ``width`` is the median width of the
    intervals in percent of the count; both None if no count has one. ``by_class`` and
    ``confusion`` are there if there are classes.
    """

    photos: tuple[PhotoResult, ...]
    iou: float
    precision: float
    recall: float
    f1: float
    ap50: float
    ap: float
    counts: CountAccuracy
    with_interval: int
    covered: int | None
    width: float | None
    by_class: Mapping[str, ClassResult]
    confusion: Confusion | None

    def rows(self) -> list[dict[str, str | int]]:
        """A row for each photo; one that is flagged may lack intervals."""
        return [photo.row() for photo in self.photos]

    def summary(self) -> dict[str, float]:
        """The figures over all photos, by name; the limits of agreement are two."""
        parts = asdict(self.counts)
        low, high = parts.pop("limits")
        names = ("precision", "recall", "f1", "ap50", "ap")
        figures = {name: getattr(self, name) for name in names}
        figures |= {**parts, "limit_low": low, "limit_high": high}
        if self.covered is not None and self.width is not None:
            figures |= {
                "covered": self.covered,
                "with_interval": self.with_interval,
                "width": self.width,
            }
        for name, one in self.by_class.items():
            values = one._asdict().items()
            figures |= {f"{name} {what}": value for what, value in values if value is not None}
        return figures


def evaluate(
    photos: Sequence[Prediction],
    threshold: float | Sequence[float],
    iou: float = 0.3,
    counts: Sequence[Count] | None = None,
) -> Evaluation:
    """Judge a detector on labelled photos that it has not learned from.

    Args:
        photos: all found boxes and the labels of each photo.
        threshold: the score above which a box is a cell; one for all photos, or one for each, as
            in a cross-validation, whose detectors differ. Its AP compares the scores of different
            detectors, which may make it lower than theirs.
        iou: overlap that makes a box a cell in precision, recall and F1.
        counts: of each photo; else a photo counts its boxes above the threshold.

    Raises:
        CellCountError: nothing is labelled.
        ValueError: not as many thresholds or counts as photos.
    """
    names = [str(name) for name in classes_of(photos)]
    thresholds = np.broadcast_to(np.asarray(threshold, dtype=float), len(photos))
    given: Sequence[Count | None] = [None] * len(photos) if counts is None else counts
    results = []
    for photo, above, count in zip(photos, thresholds, given, strict=True):
        found = match(photo, iou)
        cells = found.scores > above
        interval = None
        if count is not None and count.low is not None and count.high is not None:
            interval = count.low, count.high
        results.append(
            PhotoResult(
                photo=photo.photo,
                labelled=found.labelled,
                predicted=int(cells.sum()) if count is None else count.n,
                boxes=int(cells.sum()),
                matched=int(found.matched[cells].sum()),
                interval=interval,
                by_class={name: _of_class(photo.only(name), above, name, count) for name in names},
                why=None if count is None else count.why,
            )
        )
    average = average_precision(photos)
    labelled, boxes, matched = (
        sum(getattr(one, part) for one in results) for part in ("labelled", "boxes", "matched")
    )
    known = [(one, *one.interval) for one in results if one.interval is not None]
    widths = [100 * (high - low) / max(one.predicted, 1) for one, low, high in known]
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
        with_interval=len(known),
        covered=sum(low <= one.labelled <= high for one, low, high in known) if known else None,
        width=float(np.median(widths)) if known else None,
        by_class={name: _class_result(name, photos, results) for name in names},
        confusion=_confusion(photos, thresholds, names, iou) if names else None,
    )


def _of_class(
    photo: Prediction, threshold: float, name: str, count: Count | None
) -> tuple[int, Number]:
    """Labels and number of one class on a photo, of which ``photo`` has that class only."""
    if count is not None and name in count.by_class:
        return len(photo.labels), count.by_class[name]
    return len(photo.labels), Number(int(np.sum(photo.scores > threshold)))


def _class_result(
    name: str, photos: Sequence[Prediction], results: Sequence[PhotoResult]
) -> ClassResult:
    pairs = [one.by_class[name] for one in results]
    labelled, predicted = sum(n for n, _ in pairs), sum(one.n for _, one in pairs)
    off = sum(abs(one.n - n) for n, one in pairs)
    every, counted = sum(one.labelled for one in results), sum(one.predicted for one in results)
    inside = [
        one.low <= n <= one.high for n, one in pairs if one.low is not None and one.high is not None
    ]
    return ClassResult(
        ap50=_one_class([photo.only(name) for photo in photos])[0] if labelled else np.nan,
        labelled=labelled,
        predicted=predicted,
        off=100 * off / labelled if labelled else np.nan,
        labelled_share=labelled / every,
        share=predicted / counted if counted else np.nan,
        with_interval=len(inside),
        covered=sum(inside) if inside else None,
    )


def _confusion(
    photos: Sequence[Prediction], thresholds: NDArray[np.float64], names: list[str], iou: float
) -> Confusion:
    """What boxes above the threshold were found as, each on the label that it fits best."""
    table = np.zeros((len(names) + 1, len(names) + 1), dtype=np.int64)
    for photo, above in zip(photos, thresholds, strict=True):
        assert photo.box_classes is not None and photo.label_classes is not None
        label_of = match(photo.classless, iou).label_of
        row = np.full(len(photo.labels), len(names))  # found as; missed if nothing says otherwise
        for box in np.flatnonzero(photo.scores > above):
            kind = names.index(str(photo.box_classes[box]))
            if label_of[box] < 0:
                table[-1, kind] += 1
            else:
                row[label_of[box]] = kind
        for label, found in zip(photo.label_classes, row, strict=True):
            table[names.index(str(label)), found] += 1
    return Confusion(tuple(names), table)
