"""Any of IceVision's detectors as IceVision runs it, for those without a dense head of mmdet's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cellcount.counting.detections import Detections
from cellcount.counting.engines import card


class PlainEngine:
    """IceVision's ``end2end_detect``.

    Args:
        loaded: what IceVision's ``model_from_checkpoint`` returned.
    """

    name = "torch"

    def __init__(self, loaded: dict[str, Any]) -> None:
        from icevision import tfms

        self.meta = loaded["checkpoint"]["meta"]
        self._class_map = loaded["class_map"]
        self.classes = [str(name) for name in self._class_map.get_classes()[1:]]
        self._model, self._model_type = card.placed(loaded["model"]), loaded["model_type"]
        self.img_size = loaded["img_size"]
        size = tfms.A.resize_and_pad(self.img_size)
        self._tfms = tfms.A.Adapter([*size, tfms.A.Normalize()])

    def prepare(self, photo: NDArray[np.uint8]) -> Image.Image:
        """A photo (height, width, 3) as ``end2end_detect`` takes it."""
        return Image.fromarray(photo)

    def find(self, prepared: Image.Image, threshold: float) -> Detections:
        """The boxes with a score above the threshold, in pixels of the photo."""
        with card.inference():
            found = self._model_type.end2end_detect(
                prepared,
                self._tfms,
                self._model,
                class_map=self._class_map,
                detection_threshold=threshold,
                return_img=False,
            )["detection"]
        scores = np.asarray(found["scores"], dtype=float)
        order = np.argsort(-scores, kind="stable")
        boxes = np.array([box.xyxy for box in found["bboxes"]], dtype=float).reshape(-1, 4)
        labels = np.asarray(found["label_ids"], dtype=np.int64)
        return Detections(boxes[order], scores[order], labels[order])
