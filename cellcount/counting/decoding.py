"""From the outputs of an mmdet detector with a dense head to detections, as mmdet itself does it.

That is ``BaseDenseHead.get_bboxes`` after its boxes are decoded: the candidates of each level above
the least score, no more than ``nms_pre``, then suppression over all levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.counting.detections import Detections
from cellcount.counting.framing import Frame
from cellcount.counting.suppression import suppress


@dataclass(frozen=True)
class Recipe:
    """All that it takes to count with a detector, besides its network.

    ``meta`` is what the checkpoint says about counting, ``test`` the detector's ``test_cfg``,
    ``levels`` how many boxes each level of the pyramid has; ``classes`` are names without the
    background, ``img_size`` as IceVision takes it.
    """

    classes: list[str]
    img_size: int | tuple[int, int]
    levels: list[int]
    test: dict[str, Any]
    meta: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Recipe":
        """Take what :meth:`to_json` gave and JSON kept."""
        size = stored["img_size"]
        return cls(**{**stored, "img_size": size if isinstance(size, int) else tuple(size)})


def decode(
    outputs: Sequence[NDArray[np.float32]], recipe: Recipe, frame: Frame, threshold: float
) -> Detections:
    """The boxes with a score above the threshold, in pixels of the photo.

    Args:
        outputs: scores (boxes, classes) of all levels one after the other, boxes (boxes, 4) in
            pixels of the frame, and for some heads a factor (boxes,) of the scores.
        recipe: of the detector.
        frame: where the photo lies.
        threshold: no lower than this; what is lower changes nothing above.
    """
    test = recipe.test
    rows, labels = _candidates(outputs[0], recipe.levels, test["score_thr"], test["nms_pre"])
    raw, boxes = outputs[0][rows, labels], outputs[1][rows]
    if len(outputs) > 2:
        raw = raw * outputs[2][rows]
    kept, scores = suppress(boxes, raw, labels, test["nms"])
    kept = kept[scores > threshold][: test["max_per_img"]]
    found = frame.to_photo(boxes[kept])
    return Detections(found, scores[: len(kept)], labels[kept].astype(np.int64) + 1)


def _candidates(
    scores: NDArray[np.float32], levels: Sequence[int], least: float, most: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and class of the ``most`` best scores of each level that are above ``least``."""
    rows, labels = [], []
    start = 0
    for size in levels:
        row, label = np.nonzero(scores[start : start + size] > least)
        row += start
        order = np.argsort(-scores[row, label], kind="stable")[:most]
        rows.append(row[order])
        labels.append(label[order])
        start += size
    return np.concatenate(rows), np.concatenate(labels)
