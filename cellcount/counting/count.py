"""From detections to counts: which score is a cell, and how many there are."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.intervals import Calibration


@dataclass(frozen=True)
class Count:
    """The number of cells on one photo, ``n``, and the boxes of those found.

    With a probability of 95 % the true number lies from ``low`` to ``high``; both are None if the
    checkpoint has learned no interval. What the interval trusts in, and what it does not cover, is
    said in :mod:`cellcount.calibration.intervals`.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo, the surest first;
    ``scores`` is (n,). There are less than n where more cells are expected than have a box.
    """

    photo: str
    n: int
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        """The count and its interval, as 80 (74 to 87)."""
        return str(self.n) if self.low is None else f"{self.n} ({self.low} to {self.high})"

    @classmethod
    def of(
        cls,
        photo: str | Path,
        boxes: NDArray[np.float64],
        scores: NDArray[np.float64],
        calibration: Calibration | None = None,
    ) -> "Count":
        """Take boxes (n, 4) in pixels of ``photo`` and their scores (n,), in any order.

        Args:
            photo: its path.
            boxes: all candidates if there is a calibration, else cells only.
            scores: of the boxes.
            calibration: weighs the candidates; without one each box is a cell.
        """
        order = np.argsort(-scores, kind="stable")
        boxes, scores = boxes[order], scores[order]
        name = Path(photo).name
        if calibration is None:
            return cls(name, len(scores), boxes, scores)
        n, low, high = calibration.count(scores)
        return cls(name, n, boxes[:n], scores[:n], low, high)


def read_counts(path: str | Path) -> dict[str, int]:
    """Read a CSV with the columns photo and count."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return {row["photo"]: int(row["count"]) for row in csv.DictReader(file)}
