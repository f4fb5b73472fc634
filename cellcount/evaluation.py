"""How right is a detector: found boxes against labels, and counts against counts.

Boxes are (xmin, ymin, xmax, ymax) in pixels; found boxes and labels of a photo share one frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellcount.counting import percentage_error
from cellcount.errors import CellCountError

COCO_IOUS = np.linspace(0.5, 0.95, 10)
_COCO_RECALLS = np.linspace(0.0, 1.0, 101)


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


@dataclass(frozen=True)
class Match:
    """Which found box is which label on one photo.

    ``scores`` (n,) and ``label_of`` (n,) go with the found boxes; ``label_of`` is the index of the
    label that a box matched, -1 for a false alarm. ``labelled`` is the number of labels.
    """

    scores: NDArray[np.floating]
    label_of: NDArray[np.intp]
    labelled: int

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


def box_iou(boxes: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4), as (n, m)."""
    a = np.asarray(boxes, dtype=float).reshape(-1, 1, 4)
    b = np.asarray(labels, dtype=float).reshape(1, -1, 4)
    overlap = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    overlap = overlap.clip(0) * height.clip(0)
    areas = [(c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b)]
    union = areas[0] + areas[1] - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0)


def match(photo: Prediction, iou: float = 0.3) -> Match:
    """Give each found box, the surest first, the best label that is still free, as COCO does.

    Two boxes on one cell are one match and one false alarm. A box never takes a label from a
    surer one, so the boxes above any threshold match as if there were no others.

    Args:
        photo: found boxes and labels.
        iou: overlap that a match needs. COCO asks for 0.5; on a needle of 10 px width that is lost
            by a shift of 3 px, hence 0.3.
    """
    return _match(photo, _overlaps(photo), iou)


def _overlaps(photo: Prediction) -> NDArray[np.float64]:
    overlaps = box_iou(photo.boxes, photo.labels)
    if photo.box_classes is not None and photo.label_classes is not None:
        overlaps[photo.box_classes[:, None] != photo.label_classes[None]] = 0
    return overlaps


def _match(photo: Prediction, overlaps: NDArray[np.float64], iou: float) -> Match:
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


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 of all photos together at each ``threshold``; all (k,), falling.

    There is one threshold below each score that occurs, halfway to the next lower one.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    @property
    def best_threshold(self) -> float:
        """Where F1 is highest; of several such thresholds the middle one."""
        best = np.flatnonzero(self.f1 == self.f1.max())
        return float(self.threshold[best[len(best) // 2]])


def curve(matches: Sequence[Match]) -> Curve:
    """Precision, recall and F1 against the threshold.

    Raises:
        CellCountError: nothing is labelled, or nothing was found at all.
    """
    _need_labels(sum(one.labelled for one in matches))
    scores = np.concatenate([one.scores for one in matches]).astype(float)
    matched = np.concatenate([one.matched for one in matches])
    if not len(scores):
        raise CellCountError(
            "The detector found nothing on these photos, not even unlikely boxes: train it longer."
        )
    order = np.argsort(-scores)
    scores, hits = scores[order], matched[order].cumsum()
    last = np.flatnonzero(np.diff(scores, append=-1.0))  # no threshold parts equal scores
    distinct = scores[last]
    found, hits, labelled = last + 1, hits[last], sum(one.labelled for one in matches)
    return Curve(
        threshold=(distinct + np.append(distinct[1:], 0.0)) / 2,
        precision=hits / found,
        recall=hits / labelled,
        f1=2 * hits / (found + labelled),
    )


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
    _need_labels(len(groups))
    return np.mean([_one_class(group) for group in groups], axis=0)


def _one_class(photos: Sequence[Prediction]) -> list[float]:
    scores = np.concatenate([photo.scores for photo in photos])
    order = np.argsort(-scores, kind="stable")
    labelled = sum(len(photo.labels) for photo in photos)
    overlaps = [_overlaps(photo) for photo in photos]
    result = []
    for iou in COCO_IOUS:
        pairs = zip(photos, overlaps, strict=True)
        matched = np.concatenate([_match(*pair, iou).matched for pair in pairs])
        hits = matched[order].cumsum()
        precision = hits / np.arange(1, len(hits) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(hits / labelled, _COCO_RECALLS)
        result.append(float(np.append(precision, 0.0)[at].mean()))
    return result


@dataclass(frozen=True)
class CountAccuracy:
    """How right counts are, over ``photos`` photos; an error is predicted minus labelled.

    ``mape`` is in percent, over the photos that have labelled cells: the ``without_cells`` others
    have no percentage. ``bias`` is the mean error and ``limits`` are the limits of agreement,
    bias ± 1.96 standard deviations, between which 95 % of errors lie if they are normal (Bland &
    Altman, Lancet 1986). ``r2`` is the coefficient of determination about the diagonal: 1 if
    every count is right, below 0 if the mean label would do better. What so few photos do not
    define is NaN.
    """

    photos: int
    without_cells: int
    mean_absolute_error: float
    mape: float
    bias: float
    limits: tuple[float, float]
    r2: float


def count_accuracy(predicted: Sequence[int], labelled: Sequence[int]) -> CountAccuracy:
    """Compare one predicted and one labelled count a photo.

    Raises:
        ValueError: there are no photos, or not as many of either.
    """
    truth = np.asarray(labelled, dtype=float)
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(f"{len(predicted)} counts for {len(truth)} labelled photos")
    counted = np.asarray(predicted, dtype=float)
    error, some = counted - truth, truth > 0
    reach = 1.96 * error.std(ddof=1) if len(error) > 1 else np.nan
    spread = np.sum((truth - truth.mean()) ** 2)
    return CountAccuracy(
        photos=len(truth),
        without_cells=int(np.sum(~some)),
        mean_absolute_error=float(np.abs(error).mean()),
        mape=percentage_error(list(counted[some]), list(truth[some])) if some.any() else np.nan,
        bias=float(error.mean()),
        limits=(float(error.mean() - reach), float(error.mean() + reach)),
        r2=float(1 - np.sum(error**2) / spread) if spread else np.nan,
    )


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


def _need_labels(number: int) -> None:
    if not number:
        raise CellCountError(
            "No photo has a labelled cell, so nothing can be compared: label some in labelImg."
        )
