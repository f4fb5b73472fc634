"""What a detector finds on a photo, as arrays."""

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
