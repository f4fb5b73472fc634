"""From detections to counts: which score is a cell, and how many there are."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Count:
    """The cells found on one photo.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo; ``scores`` is (n,),
    each above the threshold.
    """

    photo: str
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.scores)

    @classmethod
    def from_detection(cls, photo: str | Path, found: dict[str, Any]) -> "Count":
        """Take what IceVision's ``end2end_detect`` returned for ``photo``."""
        boxes = [box.xyxy for box in found["detection"]["bboxes"]]
        return cls(
            Path(photo).name,
            np.asarray(boxes, dtype=float).reshape(-1, 4),
            np.asarray(found["detection"]["scores"], dtype=float),
        )


def scores_and_labels(predictions: Iterable[Any]) -> tuple[list[NDArray[np.floating]], list[int]]:
    """Split predictions into the scores of their boxes and the labelled numbers of cells.

    Args:
        predictions: what ``predict_from_dl`` returned for records that have labels.
    """
    pairs = [
        (np.asarray(one.pred.detection.scores, dtype=float), len(one.ground_truth.detection.bboxes))
        for one in predictions
    ]
    return [scores for scores, _ in pairs], [labelled for _, labelled in pairs]


def count_threshold(scores: Sequence[NDArray[np.floating]], labelled: Sequence[int]) -> float:
    """The score above which as many boxes lie as people labelled, over all photos together.

    It makes the mean absolute percentage error of the counts smallest; of several equally good
    thresholds the middle one is taken.

    Args:
        scores: for each labelled photo, the scores of all its boxes.
        labelled: for each photo, the number of labelled cells.

    Raises:
        ValueError: there is no photo with a labelled cell, or the lengths differ.
    """
    if len(scores) != len(labelled):
        raise ValueError(f"{len(scores)} photos have scores, but {len(labelled)} have labels")
    truth = np.asarray(labelled)
    if not truth.any():
        raise ValueError("no photo has a labelled cell, so no threshold can be found")
    candidates = np.linspace(0.05, 0.95, 181)
    counts = np.array([[np.sum(photo > t) for photo in scores] for t in candidates])
    # A photo without cells has no percentage; one false alarm on it weighs like one cell.
    errors = np.mean(np.abs(counts - truth) / np.maximum(truth, 1), axis=1)
    best = np.flatnonzero(errors == errors.min())
    return float(candidates[best[len(best) // 2]])


def percentage_error(counted: Sequence[int], labelled: Sequence[int]) -> float:
    """Mean absolute percentage error of counts, in percent of each photo's labelled count.

    Raises:
        ValueError: a photo has no labelled cell, so its percentage is undefined.
    """
    truth = np.asarray(labelled, dtype=float)
    if not truth.all():
        raise ValueError("a photo without labelled cells has no percentage error")
    return float(100 * np.mean(np.abs(np.asarray(counted) - truth) / truth))


def read_counts(path: str | Path) -> dict[str, int]:
    """Read a CSV with the columns photo and count."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return {row["photo"]: int(row["count"]) for row in csv.DictReader(file)}
