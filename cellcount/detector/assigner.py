"""Which points of the detector learn a cell, also where the cell is thinner than their spacing."""

from typing import Any

import torch
from mmdet.core.bbox.assigners import AssignResult, ATSSAssigner
from mmdet.core.bbox.builder import BBOX_ASSIGNERS
from torch import Tensor


@BBOX_ASSIGNERS.register_module()
class ThinATSSAssigner(ATSSAssigner):
    """ATSS (Zhang et al., CVPR 2020) for needles.

    ATSS lets a point learn a box only if it lies inside. An upright needle 7 pixels wide may lie
    between the points, 8 pixels apart, and is then taught as background. Boxes are widened for
    this choice alone; what a chosen point learns is the box as labelled.

    Args:
        least: pixels that each side of a box has at least when points are chosen for it.
        others: of ATSS.
    """

    def __init__(self, least: float, **others: Any) -> None:
        super().__init__(**others)
        self.least = least

    def assign(
        self, bboxes: Tensor, num_level_bboxes: list[int], gt_bboxes: Tensor, *others: Any
    ) -> AssignResult:
        """Choose points for boxes (k, 4); arguments and result are those of ATSS."""
        wide = widened(gt_bboxes, self.least)
        return super().assign(bboxes, num_level_bboxes, wide, *others)


def widened(boxes: Tensor, least: float) -> Tensor:
    """Boxes (k, 4) about the same centres whose sides are at least so many pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2).clamp(min=least / 2)
    return torch.cat([centre - half, centre + half], dim=1)
