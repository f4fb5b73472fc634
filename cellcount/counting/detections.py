"""What a detector finds on a photo, as arrays."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class DetectedBox(NamedTuple):
    """One box in pixels of the photo, named as IceVision's ``BBox`` names its edges."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """All four edges."""
        return self.xmin, self.ymin, self.xmax, self.ymax


class Detections(NamedTuple):
    """Boxes of one photo, the surest first.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo; ``scores`` is (n,);
    ``labels`` is (n,), numbers of classes from 1 on, as in IceVision, where 0 is the background.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def as_icevision(self, classes: list[str], width: int, height: int) -> dict[str, Any]:
        """The dictionary that IceVision's ``end2end_detect`` returns, without the picture.

        Args:
            classes: names, without the background.
            width: of the upright photo.
            height: of the upright photo.
        """
        return {
            "detection": {
                "scores": self.scores,
                "labels": [classes[number - 1] for number in self.labels],
                "label_ids": self.labels.tolist(),
                "bboxes": [DetectedBox(*box) for box in self.boxes.tolist()],
            },
            "img": None,
            "width": width,
            "height": height,
        }
