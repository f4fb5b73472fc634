"""From detections to counts: which score is a cell, and how many there are."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cellcount.calibration import Calibration


@dataclass(frozen=True)
class Count:
    """The number of cells on one photo, ``n``, and the boxes of those found.

    With probability ``level`` the true number lies from ``low`` to ``high``; both are None if the
    checkpoint has learned no interval. What the interval trusts in, and what it does not cover, is
    said in :mod:`cellcount.calibration`.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo, the surest first;
    ``scores`` is (n,). There are less than n where more cells are expected than have a box.
    """

    photo: str
    n: int
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    low: int | None = None
    high: int | None = None
    level: float = 0.95

    def __str__(self) -> str:
        """The count and its interval, as 80 (74 to 87)."""
        return str(self.n) if self.low is None else f"{self.n} ({self.low} to {self.high})"

    @classmethod
    def from_detection(
        cls,
        photo: str | Path,
        found: dict[str, Any],
        calibration: "Calibration | None" = None,
        level: float = 0.95,
    ) -> "Count":
        """Take what IceVision's ``end2end_detect`` returned for ``photo``.

        Args:
            photo: its path.
            found: with all candidates if there is a calibration, else with cells only.
            calibration: weighs the candidates; without one each box is a cell.
            level: how probable it is that the true number lies in the interval.
        """
        scores = np.asarray(found["detection"]["scores"], dtype=float)
        boxes = np.asarray([box.xyxy for box in found["detection"]["bboxes"]], dtype=float)
        return cls.of(photo, boxes.reshape(-1, 4), scores, calibration, level)

    @classmethod
    def of(
        cls,
        photo: str | Path,
        boxes: NDArray[np.float64],
        scores: NDArray[np.float64],
        calibration: "Calibration | None" = None,
        level: float = 0.95,
    ) -> "Count":
        """Take boxes (n, 4) in pixels of ``photo`` and their scores (n,), in any order.

        Args:
            photo: its path.
            boxes: all candidates if there is a calibration, else cells only.
            scores: of the boxes.
            calibration: weighs the candidates; without one each box is a cell.
            level: how probable it is that the true number lies in the interval.
        """
        order = np.argsort(-scores, kind="stable")
        boxes, scores = boxes[order], scores[order]
        name = Path(photo).name
        if calibration is None:
            return cls(name, len(scores), boxes, scores)
        n, low, high = calibration.count(scores, level)
        return cls(name, n, boxes[:n], scores[:n], low, high, level)


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
