"""The loss counts rare classes more, and teaches cells whose boxes do not fit yet."""

import pytest
import torch
from mmdet.models.losses import VarifocalLoss

from cellcount.detector.balance import BalancedVarifocalLoss


def _losses():
    given = {"use_sigmoid": True, "alpha": 0.75, "gamma": 2.0, "iou_weighted": True}
    return VarifocalLoss(**given), BalancedVarifocalLoss(least=0.4, **given)


def test_one_class_of_cells_that_fit_is_taught_as_varifocal_loss_does():
    plain, balanced = _losses()
    scores, wanted = torch.randn(6, 1), torch.tensor([[0.9], [0.5], [0], [0], [0.7], [0]])
    assert balanced(scores, wanted, avg_factor=3) == pytest.approx(
        plain(scores, wanted, avg_factor=3)
    )


def test_rare_class_counts_more_and_all_cells_as_much_as_before():
    _, balanced = _losses()
    scores = torch.zeros(101, 2, requires_grad=True)
    wanted = torch.zeros(101, 2)
    wanted[:100, 0], wanted[100, 1] = 0.8, 0.8
    balanced(scores, wanted, avg_factor=1).backward()
    common, rare = scores.grad[0, 0], scores.grad[100, 1]
    assert rare / common == pytest.approx(10)  # the square root of how much rarer
    plain, _ = _losses()
    other = torch.zeros(101, 2, requires_grad=True)
    plain(other, wanted, avg_factor=1).backward()
    cells = wanted > 0
    assert scores.grad[cells].sum() == pytest.approx(other.grad[cells].sum())
    assert torch.equal(scores.grad[~cells], other.grad[~cells])


def test_cell_whose_box_does_not_fit_is_taught_all_the_same():
    plain, balanced = _losses()
    for loss, falls in ((plain, False), (balanced, True)):
        score = torch.full((1, 1), -1.0, requires_grad=True)  # 0.27
        loss(score, torch.tensor([[0.05]]), avg_factor=1).backward()
        assert bool(score.grad < 0) == falls  # a step down the loss raises the score


def test_nothing_changes_when_it_is_not_trained():
    plain, balanced = _losses()
    balanced.eval()
    scores, wanted = torch.randn(4, 2), torch.tensor([[0.1, 0], [0, 0.9], [0, 0], [0, 0]])
    assert balanced(scores, wanted, avg_factor=1) == plain(scores, wanted, avg_factor=1)
