"""What a detector finds on a photo, as arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Detections(NamedTuple):
    """Boxes of one photo, the surest first.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo; ``scores`` is (n,);
    ``labels`` is (n,), numbers of classes from 1 on, as in IceVision, where 0 is the background.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def only(self, which: NDArray[np.bool_]) -> "Detections":
        """The boxes for which ``which`` (n,) holds."""
        return Detections(self.boxes[which], self.scores[which], self.labels[which])

    def kinds(self, classes: Sequence[str]) -> NDArray[np.str_] | None:
        """(n,), the class of each box by its name; None if the detector knows one class only."""
        return np.array(classes, dtype=str)[self.labels - 1] if len(classes) > 1 else None
