"""mmcv's focal losses against the paper's formula, whose gradient is autograd's, in float64."""

import pytest
import torch

from icevision_bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402

ALPHA = 0.25
CLASSES = 4
TARGETS = torch.tensor([0, 1, 2, 3, CLASSES, CLASSES, 2])  # CLASSES is background
REDUCE = {"none": lambda x: x, "mean": lambda x: x.sum() / len(TARGETS), "sum": torch.sum}


def logits(spread=3.0):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(len(TARGETS), CLASSES, generator=generator, dtype=torch.float64)
    return (values * spread).requires_grad_()


def sigmoid_formula(x, gamma, weight):
    p = torch.sigmoid(x)
    is_class = TARGETS[:, None] == torch.arange(CLASSES)
    p_t = torch.where(is_class, p, 1 - p)
    alpha_t = torch.where(is_class, ALPHA, 1 - ALPHA)
    of_row = torch.cat([weight, torch.ones(1).double()])[TARGETS]
    return -alpha_t * (1 - p_t) ** gamma * p_t.log() * of_row[:, None]


def softmax_formula(x, targets, gamma, weight):
    p_t = torch.softmax(x, 1).gather(1, targets.clamp(min=0)[:, None])[:, 0]
    loss = -ALPHA * (1 - p_t) ** gamma * p_t.log() * weight[targets.clamp(min=0)]
    return torch.where(targets >= 0, loss, 0)


def agree(found, expected, given):
    torch.testing.assert_close(found, expected)
    incoming = torch.linspace(1, 2, found.numel(), dtype=torch.float64).reshape(found.shape)
    gradients = (torch.autograd.grad(loss, given, incoming)[0] for loss in (found, expected))
    torch.testing.assert_close(*gradients)


WEIGHTS = {"unweighted": None, "weighted": torch.tensor([0.5, 1.0, 2.0, 3.0]).double()}


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("gamma", [2.0, 0.5])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_sigmoid_focal_loss(weight, gamma, reduction):
    x, weight = logits(), WEIGHTS[weight]
    found = mmcv_ops.SigmoidFocalLoss(gamma, ALPHA, weight, reduction)(x, TARGETS)
    ones = torch.ones(CLASSES).double()
    formula = sigmoid_formula(x, gamma, ones if weight is None else weight)
    agree(found, REDUCE[reduction](formula), x)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("gamma", [2.0, 0.5, 0.0])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_softmax_focal_loss(weight, gamma, reduction):
    x, weight = logits(), WEIGHTS[weight]
    targets = torch.where(TARGETS == CLASSES, -1, TARGETS)
    found = mmcv_ops.SoftmaxFocalLoss(gamma, ALPHA, weight, reduction)(x, targets)
    ones = torch.ones(CLASSES).double()
    formula = softmax_formula(x, targets, gamma, ones if weight is None else weight)
    agree(found, REDUCE[reduction](formula), x)


def test_logits_far_from_the_truth_stay_finite():
    x = torch.tensor([[-200.0, 200.0], [200.0, -200.0]], requires_grad=True)
    loss = mmcv_ops.sigmoid_focal_loss(x, torch.tensor([0, 0]), 2.0, ALPHA, None, "none")
    # A wrong logit z costs alpha_t |z|, a right one nothing.
    assert loss.tolist() == [[ALPHA * 200, (1 - ALPHA) * 200], [0, 0]]
    loss.sum().backward()
    assert x.grad.tolist() == [[-ALPHA, 1 - ALPHA], [0, 0]]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_certain_and_a_hopeless_softmax_stay_finite(gamma):
    x = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = mmcv_ops.softmax_focal_loss(x, torch.tensor([0, 0]), gamma, ALPHA, None, "none")
    assert loss[0].item() == 0
    assert 20 < loss[1].item() < 30
    loss.sum().backward()
    assert x.grad.isfinite().all()


def test_bfloat16_under_autocast_is_close():
    exact, rounded = logits(1.0).detach().float(), logits(1.0).detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = mmcv_ops.sigmoid_focal_loss(rounded, TARGETS)
    loss.backward()
    expected = mmcv_ops.sigmoid_focal_loss(exact, TARGETS)
    assert loss.item() == pytest.approx(expected.item(), rel=0.02)
    assert rounded.grad.dtype == torch.bfloat16
    assert torch.count_nonzero(rounded.grad) == rounded.numel()
