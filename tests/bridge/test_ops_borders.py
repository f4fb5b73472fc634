"""Borders, halves and nothing at all: what mmcv's operations give there, worked out by hand.

Where a sample lies on a pixel, its slope is the one towards the next pixel; where it lies exactly
on -1 or on the map's height or width, mmcv's kernels give 0.
"""

import math

import pytest
import torch

from icevision_bridge import ops
from icevision_bridge.ops import deform, deform_cpu, deform_torchvision

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction  # noqa: E402

PLANE = [[1.0, 2.0], [3.0, 5.0]]
# Where (y, x) is sampled: the value, and its slopes along y and x.
SAMPLES = {
    (-1, 0): (0, 0, 0),
    (0, -1): (0, 0, 0),
    (-1, -1): (0, 0, 0),
    (-1, 0.5): (0, 0, 0),
    (0.5, -1): (0, 0, 0),
    (2, 0): (0, 0, 0),
    (0, 2): (0, 0, 0),
    (0.5, 2): (0, 0, 0),
    (2, -1): (0, 0, 0),
    (-0.5, 0): (0.5, 1, 0.5),
    (0, 0): (1, 2, 1),
    (0.5, 0.5): (2.75, 2.5, 1.5),
    (1.5, 0): (1.5, -3, 1),
    (1, 1): (5, -5, -5),
}


@pytest.fixture(params=[deform_cpu, deform_torchvision], ids=["cpu", "torchvision"])
def way(request, monkeypatch):
    """Both ways to compute it; CUDA's is torchvision's, whose kernel also runs on the CPU."""
    monkeypatch.setattr(deform, "_way", lambda device: request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("modulated", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("at", SAMPLES)
def test_a_deformable_convolution_samples(at, modulated):
    """A kernel of one weight, 10, in the one window at (0, 0), so its offset is its place."""
    plane = torch.tensor([[PLANE]]).requires_grad_()
    offset = torch.tensor(at).float().view(1, 2, 1, 1).requires_grad_()
    mask = torch.full((1, 1, 1, 1), 0.25).requires_grad_()
    weight, bias, stride = torch.full((1, 1, 1, 1), 10.0).requires_grad_(), torch.zeros(1), 2
    value, *slopes = SAMPLES[at]
    if modulated:
        found = mmcv_ops.modulated_deform_conv2d(plane, offset, mask, weight, bias, stride)
        scale = 2.5
    else:
        found, scale = mmcv_ops.deform_conv2d(plane, offset, weight, stride), 10
    found.sum().backward()
    assert found.item() == scale * value
    assert offset.grad.flatten().tolist() == [scale * slope for slope in slopes]
    assert weight.grad.item() == scale / 10 * value
    if modulated:
        assert mask.grad.item() == 10 * value
    if value == 0:
        assert torch.count_nonzero(plane.grad) == 0


@pytest.mark.usefixtures("way")
def test_the_border_of_a_fresh_layer_teaches_its_offsets_nothing():
    """Rows 1 2 3 under a 2 × 2 kernel of ones with padding 1: 4 × 4 windows, masks at 1/2.

    Each tap sees its 16 places a pixel apart, from -1 to 2 or from 0 to 3. Down a column the
    values are equal, so only the last row has a slope, to the 0 below: -(1 + 2 + 3) / 2. Along a
    row the slopes are 1, 1 and -3, in 3 rows: -3 / 2. The mask's slope is a quarter of 3 rows of
    1 + 2 + 3.
    """
    layer = mmcv_ops.ModulatedDeformConv2dPack(1, 1, 2, padding=1, bias=False)
    torch.nn.init.ones_(layer.weight)
    layer(torch.tensor([1.0, 2, 3]).expand(1, 1, 3, 3)).sum().backward()
    assert layer.conv_offset.bias.grad.tolist() == [-3, -1.5] * 4 + [4.5] * 4


@pytest.mark.parametrize("at", SAMPLES)
def test_deformable_attention_samples(at):
    value = torch.tensor(PLANE).view(1, 4, 1, 1).requires_grad_()
    # From 0 to 1 across the map, x before y.
    where = ((torch.tensor(at[::-1]) + 0.5) / 2).view(1, 1, 1, 1, 1, 2).requires_grad_()
    weight = torch.full((1, 1, 1, 1, 1), 0.5).requires_grad_()
    shapes, start = torch.tensor([[2, 2]]), torch.tensor([0])
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, start, where, weight, 64)
    found.sum().backward()
    expected, down, across = SAMPLES[at]
    assert found.item() == expected / 2
    assert where.grad.flatten().tolist() == [across, down]  # half of the slope over two pixels
    assert weight.grad.item() == expected
    if expected == 0:
        assert torch.count_nonzero(value.grad) == 0


def test_deformable_attention_to_no_queries():
    value = torch.ones(1, 4, 1, 1, requires_grad=True)
    where, weight = torch.zeros(1, 0, 1, 1, 1, 2), torch.zeros(1, 0, 1, 1, 1)
    shapes, start = torch.tensor([[2, 2]]), torch.tensor([0])
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, start, where, weight, 64)
    assert found.shape == (1, 0, 1)
    found.sum().backward()
    assert torch.count_nonzero(value.grad) == 0


# RoIAlign holds the rim's value up to and with -1 and the height: value, and shares of the pixels.
ALIGNED = {
    (-1, -1): (1, [[1, 0], [0, 0]]),
    (2, 2): (5, [[0, 0], [0, 1]]),
    (1.5, 0): (3, [[0, 0], [1, 0]]),
    (-0.5, 0.5): (1.5, [[0.5, 0.5], [0, 0]]),
    (0.5, 0.5): (2.75, [[0.25, 0.25], [0.25, 0.25]]),
    (-1.25, 0): (0, [[0, 0], [0, 0]]),
    (0, 2.25): (0, [[0, 0], [0, 0]]),
}


@pytest.mark.parametrize("pool", ["avg", "max"])
@pytest.mark.parametrize("at", ALIGNED)
def test_roi_align_samples(at, pool):
    plane = torch.tensor([[PLANE]]).requires_grad_()
    y, x = at
    region = torch.tensor([[0, x - 0.5, y - 0.5, x + 0.5, y + 0.5]])
    found = mmcv_ops.RoIAlign(1, 1.0, 1, pool, aligned=False)(plane, region)
    found.sum().backward()
    value, shares = ALIGNED[at]
    assert found.item() == value
    assert plane.grad.tolist() == [[shares]]


@pytest.mark.parametrize(
    ("corners", "strongest"),
    [
        ([0, 0, 0, 0], (0, 0)),
        ([0.5, 0.5, 0.5, 0.5], (1, 1)),  # from 0.5 to 1.5, rounded outwards to all four pixels
        ([0.5, 0, 0.5, 0], (0, 1)),
        ([-1, 0, -0.5, 1], (1, 0)),  # from -1 to 0.5
        ([-2, 0, -1, 1], None),  # ends where the map begins
        ([2, 0, 3, 1], None),  # begins where the map ends
    ],
)
def test_roi_pool_rounds_bins_outwards(corners, strongest):
    plane = torch.tensor([[PLANE]]).requires_grad_()
    found = mmcv_ops.RoIPool(1, 1.0)(plane, torch.tensor([[0.0, *corners]]))
    found.sum().backward()
    assert found.item() == (PLANE[strongest[0]][strongest[1]] if strongest else 0)
    assert plane.grad[0, 0].nonzero().tolist() == ([list(strongest)] if strongest else [])


@pytest.mark.parametrize(
    "layer",
    [mmcv_ops.RoIPool(1, 1.0), mmcv_ops.RoIAlign(1, 1.0, 2, "max", aligned=False)],
    ids=["pool", "align"],
)
def test_of_equal_pixels_the_first_learns(layer):
    plane = torch.ones(1, 1, 4, 4, requires_grad=True)
    layer(plane, torch.tensor([[0.0, 0, 0, 3, 3]])).sum().backward()
    assert plane.grad[0, 0, 0, 0] > 0
    assert torch.count_nonzero(plane.grad[0, 0, 2:]) == 0


@pytest.mark.parametrize(
    ("method", "min_score", "left"),
    [("linear", 0.25, [1, 0.25]), ("linear", 0.26, [1]), ("naive", 0.25, [1])],
)
def test_soft_nms_weakens_at_the_threshold_and_keeps_at_the_least_score(method, min_score, left):
    boxes, scores = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1]]), torch.tensor([1, 0.5])
    found, _ = mmcv_ops.soft_nms(boxes, scores, 0.5, min_score=min_score, method=method)
    assert found[:, 4].tolist() == left


@pytest.mark.parametrize(("offset", "share"), [(0, 0), (1, 1 / 3)])
def test_boxes_that_touch(offset, share):
    first, second = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[1.0, 0, 2, 1]])
    found = mmcv_ops.bbox_overlaps(first, second, offset=offset)
    assert found.item() == pytest.approx(share)


def test_no_boxes_have_no_overlaps():
    some, none = torch.ones(2, 4), torch.zeros(0, 4)
    assert mmcv_ops.bbox_overlaps(some, none).shape == (2, 0)
    assert mmcv_ops.bbox_overlaps(none, none, aligned=True).numel() == 0


def test_sigmoid_focal_loss_at_one_half():
    logits = torch.zeros(1, 2, requires_grad=True)
    loss = mmcv_ops.sigmoid_focal_loss(logits, torch.tensor([0]), 2.0, 0.25, None, "none")
    # (1 - p)^2 is 1/4, -log p is log 2; its slope is -(1 - p)^2 (1 - p + 2 p log 2).
    assert loss[0].tolist() == pytest.approx([0.25 * math.log(2) / 4, 0.75 * math.log(2) / 4])
    loss.sum().backward()
    slope = (0.5 + math.log(2)) / 4
    assert logits.grad[0].tolist() == pytest.approx([-0.25 * slope, 0.75 * slope])


def test_softmax_focal_loss_at_one_half():
    logits = torch.zeros(1, 2, requires_grad=True)
    loss = mmcv_ops.softmax_focal_loss(logits, torch.tensor([1]), 2.0, 0.25, None, "sum")
    loss.backward()
    assert loss.item() == pytest.approx(0.25 * math.log(2) / 4)
    slope = 0.25 * (0.5 + math.log(2)) / 4
    assert logits.grad[0].tolist() == pytest.approx([slope, -slope])


@pytest.mark.parametrize("loss", [mmcv_ops.sigmoid_focal_loss, mmcv_ops.softmax_focal_loss])
def test_focal_losses_of_nothing(loss):
    logits = torch.zeros(0, 3, requires_grad=True)
    found = loss(logits, torch.zeros(0, dtype=torch.long), 2.0, 0.25, None, "sum")
    found.backward()
    assert found.item() == 0
    assert logits.grad.shape == (0, 3)
