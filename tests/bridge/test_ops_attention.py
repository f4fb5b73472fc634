"""mmcv's multi-scale deformable attention against a loop over queries, heads, levels and points."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from icevision_bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402
from mmcv.ops.multi_scale_deform_attn import (  # noqa: E402
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)

LEVELS = [(4, 5), (2, 3)]
SHAPES, STARTS = torch.tensor(LEVELS), torch.tensor([0, 20])
BATCH, QUERIES, HEADS, WIDTH, POINTS = 2, 4, 2, 3, 3


def given():
    random = np.random.default_rng(0)
    value = random.normal(size=(BATCH, sum(h * w for h, w in LEVELS), HEADS, WIDTH))
    where = random.uniform(-0.15, 1.15, (BATCH, QUERIES, HEADS, len(LEVELS), POINTS, 2))
    weight = random.uniform(0, 1, where.shape[:-1])
    return [torch.from_numpy(array).requires_grad_() for array in (value, where, weight)]


def loop(value, where, weight):
    value, where, weight = (tensor.detach().numpy() for tensor in (value, where, weight))
    result = np.zeros((BATCH, QUERIES, HEADS, WIDTH))
    for b, q, m, level, k in np.ndindex(*weight.shape):
        height, width = LEVELS[level]
        plane = value[b, STARTS[level] :, m][: height * width].reshape(height, width, WIDTH)
        x, y = where[b, q, m, level, k] * (width, height) - 0.5
        top, left = math.floor(y), math.floor(x)
        for row, column in product((top, top + 1), (left, left + 1)):
            if 0 <= row < height and 0 <= column < width:
                share = (1 - abs(y - row)) * (1 - abs(x - column))
                result[b, q, m] += weight[b, q, m, level, k] * share * plane[row, column]
    return torch.from_numpy(result.reshape(BATCH, QUERIES, HEADS * WIDTH))


def kernel(value, where, weight):
    """What mmcv calls on CUDA."""
    return MultiScaleDeformableAttnFunction.apply(value, SHAPES, STARTS, where, weight, 64)


def plain(value, where, weight):
    """What mmcv calls on the CPU."""
    return multi_scale_deformable_attn_pytorch(value, SHAPES, where, weight)


@pytest.mark.parametrize("attend", [kernel, plain])
def test_equals_the_loop(attend):
    torch.testing.assert_close(attend(*given()), loop(*given()))


def test_gradients_of_the_kernel():
    assert torch.autograd.gradcheck(kernel, given())


def test_bfloat16_is_close_and_learns():
    rounded = [tensor.detach().bfloat16().requires_grad_() for tensor in given()]
    with torch.autocast("cpu", torch.bfloat16):
        found = kernel(*rounded)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(
        found.double(), loop(*(tensor.double() for tensor in rounded)), rtol=2e-2, atol=2e-2
    )
    found.sum().backward()
    assert all(torch.count_nonzero(tensor.grad) for tensor in rounded)


def test_the_layer_runs_and_learns_on_the_cpu():
    torch.manual_seed(0)
    layer = mmcv_ops.MultiScaleDeformableAttention(8, num_heads=2, num_levels=2, num_points=3)
    query = torch.randn(QUERIES, BATCH, 8)
    found = layer(
        query,
        value=torch.randn(26, BATCH, 8),
        reference_points=torch.rand(BATCH, QUERIES, 2, 2),
        spatial_shapes=SHAPES,
        level_start_index=STARTS,
    )
    assert found.shape == query.shape
    found.square().sum().backward()
    assert layer.sampling_offsets.weight.grad.abs().sum() > 0
