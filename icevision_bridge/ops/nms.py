"""Non-maximum suppression: which of many overlapping boxes to keep.

Boxes are (N, 4) or, with scores, (N, 5): x1, y1, x2, y2, in pixels. ``offset`` is 1 for the older
convention in which a box from pixel 3 to pixel 3 is one pixel wide, else 0. Where scores are equal
the box that comes first in the input goes first. Memory grows with N, not with its square.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms as torchvision_nms

from .precision import kernel, widen

NAIVE, LINEAR, GAUSSIAN = range(3)


@kernel
def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices (K,) of the boxes that stay, best first.

    A box goes if its IoU with a better one that stays is greater than ``iou_threshold``.
    """
    boxes = widen(boxes)
    if offset:
        # Moving the far edges out by one makes every width, height and overlap one larger.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores.to(boxes.dtype), iou_threshold)


class _Neighbours:
    """Boxes in the order of their left edges, where those that can touch a given one are a slice.

    Soft-NMS and matching ask every box for its overlaps; looking at all N each time would take
    minutes where tens of thousands of boxes are spread over a large photo.
    """

    def __init__(self, corners: NDArray, offset: int, everywhere: bool) -> None:
        """Hold ``corners`` (4, N); ``everywhere`` if overlaps of 0 are asked for as well."""
        self.order = np.argsort(corners[0], kind="stable")
        self.corners = corners[:, self.order]
        self.offset = offset
        self.reach = np.inf if everywhere else (corners[2] - corners[0]).max(initial=0) + offset

    def overlaps(self, box: NDArray) -> tuple[NDArray, NDArray]:
        """Numbers and IoUs of the boxes whose IoU with ``box`` (4,) may not be 0."""
        edges = (box[0] - self.reach, max(box[2] + self.offset, box[0] + self.reach))
        near = slice(*np.searchsorted(self.corners[0], edges))
        left, top, right, bottom = self.corners[:, near]
        width = np.minimum(box[2], right) - np.maximum(box[0], left) + self.offset
        height = np.minimum(box[3], bottom) - np.maximum(box[1], top) + self.offset
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        area = (box[2] - box[0] + self.offset) * (box[3] - box[1] + self.offset)
        areas = (right - left + self.offset) * (bottom - top + self.offset)
        union = area + areas - shared
        # Two empty boxes share nothing.
        return self.order[near], shared / np.where(union > 0, union, 1)


@kernel
def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Fill ``dets`` (N, 5) from the top with boxes and weakened scores; return their indices (K,).

    Bodla et al. 2017, "Soft-NMS": again and again the best box is taken out and the scores of
    those that overlap it are multiplied by 0 (``method`` 0), by 1 - IoU (1), both from
    ``iou_threshold`` on, or by exp(-IoU^2 / sigma) (2). A box is dropped once its score is under
    ``min_score``; as in mmcv's own kernel that is first asked after the first box was taken.
    """
    corners = widen(boxes).numpy().T
    current = np.array(widen(scores).numpy())
    neighbours = _Neighbours(corners, offset, method != GAUSSIAN and iou_threshold <= 0)
    taken: list[int] = []
    taken_scores: list[float] = []
    while len(taken) < len(current) and current[best := int(current.argmax())] != -np.inf:
        taken.append(best)
        taken_scores.append(float(current[best]))
        current[best] = -np.inf
        near, iou = neighbours.overlaps(corners[:, best])
        here = current[near] != -np.inf
        near, iou = near[here], iou[here]
        if method == GAUSSIAN:
            current[near] *= np.exp(-(iou**2) / sigma)
        else:
            current[near] *= np.where(iou < iou_threshold, 1, 0 if method == NAIVE else 1 - iou)
        current[current < min_score] = -np.inf
    kept = torch.tensor(taken, dtype=torch.long, device=boxes.device)
    dets[: len(taken), :4] = boxes[kept]
    dets[: len(taken), 4] = dets.new_tensor(taken_scores)
    return kept


@kernel
def nms_match(dets: Tensor, *, iou_threshold: float) -> list[list[int]]:
    """Groups of indices of ``dets`` (N, 5), each a kept box and those that it suppressed.

    A box goes if its IoU with the kept one is ``iou_threshold`` or more; groups and their members
    come best first.
    """
    array = widen(dets).numpy()
    corners = array[:, :4].T
    neighbours = _Neighbours(corners, 0, iou_threshold <= 0)
    best_first = np.argsort(-array[:, 4], kind="stable")
    rank = np.argsort(best_first)
    free = np.ones(len(array), dtype=bool)
    groups = []
    for best in best_first:
        if free[best]:
            free[best] = False
            near, iou = neighbours.overlaps(corners[:, best])
            suppressed = near[free[near] & (iou >= iou_threshold)]
            free[suppressed] = False
            groups.append([int(best), *suppressed[rank[suppressed].argsort()].tolist()])
    return groups
