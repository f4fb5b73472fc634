"""A loss with which a class of few cells is learned beside one of many."""

from typing import Any

import torch
from mmdet.models.builder import LOSSES
from mmdet.models.losses import VarifocalLoss
from torch import Tensor

_KEPT = 0.998  # of what was seen, a step later: 500 steps or so are remembered
_MOST = 10.0  # times a rare class may count


@LOSSES.register_module()
class BalancedVarifocalLoss(VarifocalLoss):
    """Varifocal loss (Zhang et al., CVPR 2021) for classes that differ in how many cells they have.

    A cell counts by the square root of how much rarer its class is than the commonest, as photos do
    in repeat factor sampling (Gupta, Dollár & Girshick, CVPR 2019); all cells together count as
    much as before. And as the loss wants a cell's score to be how well its box fits, a class whose
    boxes do not fit yet is taught to have no score, and one without scores is not taught boxes:
    ``least`` is wanted of every cell.

    Args:
        least: score that is wanted of a cell however badly its box fits yet.
        others: of VarifocalLoss.
    """

    def __init__(self, least: float, **others: Any) -> None:
        super().__init__(**others)
        self.least = least
        self._seen: Tensor | float = 0.0

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, **others: Any
    ) -> Tensor:
        """Compare scores (n, classes) with wanted ones, 0 where there is no cell of the class."""
        if self.training:
            cell = target > 0
            target = torch.where(cell, target.clamp(min=self.least), target)
            self._seen = _KEPT * self._seen + cell.sum(0)
            share = (self._seen.max() / self._seen.clamp(min=1)).sqrt().clamp(max=_MOST)
            share = share * self._seen.sum() / (share * self._seen).sum().clamp(min=1)
            weight = torch.where(cell, share, torch.ones_like(target))
        return super().forward(pred, target, weight, **others)
