"""mmcv's deformable convolutions against a loop over every output, tap and channel, in float64."""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch

from cellcount.bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402


class Case(NamedTuple):
    batch: int
    channels: int
    out: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int


CASES = [
    Case(2, 2, 3, (5, 4), (3, 3), (1, 1), (1, 1), (1, 1), 1, 1),
    Case(1, 4, 4, (7, 5), (3, 3), (2, 2), (1, 1), (1, 1), 2, 1),
    Case(2, 4, 2, (6, 7), (3, 3), (1, 1), (0, 0), (2, 2), 1, 2),
    Case(1, 4, 6, (5, 6), (2, 3), (2, 1), (1, 2), (1, 2), 2, 2),
    Case(3, 2, 2, (3, 3), (1, 1), (1, 1), (0, 0), (1, 1), 1, 1),
]
ids = [
    f"k{c.kernel}s{c.stride}p{c.padding}d{c.dilation}g{c.groups}dg{c.deform_groups}" for c in CASES
]


def tensors(case, seed=0, spread=1.5):
    """Input, offset, mask, weight, bias; no sampling point lies on the pixel grid's lines."""
    random = np.random.default_rng(seed)
    rows, columns = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            case.size, case.kernel, case.stride, case.padding, case.dilation, strict=True
        )
    )
    taps = case.deform_groups * math.prod(case.kernel)
    offset = random.uniform(-spread, spread, (case.batch, 2 * taps, rows, columns))
    # Bilinear sampling has a kink at whole numbers, where no derivative can be checked.
    offset = np.floor(offset) + np.clip(offset - np.floor(offset), 0.05, 0.95)
    arrays = (
        random.normal(size=(case.batch, case.channels, *case.size)),
        offset,
        random.uniform(0.1, 1, (case.batch, taps, rows, columns)),
        random.normal(size=(case.out, case.channels // case.groups, *case.kernel)),
        random.normal(size=case.out),
    )
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def pixel(plane, y, x):
    inside = 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]
    return plane[y, x] if inside else 0.0


def bilinear(plane, y, x):
    top, left = math.floor(y), math.floor(x)
    return sum(
        (1 - abs(y - row)) * (1 - abs(x - column)) * pixel(plane, row, column)
        for row, column in product((top, top + 1), (left, left + 1))
    )


def loop_nest(case, *given):
    image, offset, mask, weight, bias = (tensor.detach().numpy() for tensor in given)
    result = np.empty((case.batch, case.out, *offset.shape[2:]))
    taps = math.prod(case.kernel)
    for b, o, i, j in product(*map(range, result.shape)):
        total = bias[o]
        for c, (tap, (u, v)) in product(
            range(weight.shape[1]), enumerate(np.ndindex(*case.kernel))
        ):
            channel = o // (case.out // case.groups) * weight.shape[1] + c
            index = channel // (case.channels // case.deform_groups) * taps + tap
            y = i * case.stride[0] - case.padding[0] + u * case.dilation[0]
            x = j * case.stride[1] - case.padding[1] + v * case.dilation[1]
            y += offset[b, 2 * index, i, j]
            x += offset[b, 2 * index + 1, i, j]
            sample = bilinear(image[b, channel], y, x)
            total += weight[o, c, u, v] * sample * mask[b, index, i, j]
        result[b, o, i, j] = total
    return torch.from_numpy(result)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_v1_equals_the_loop_nest(case):
    image, offset, mask, weight, bias = tensors(case)
    expected = loop_nest(case, image, offset, torch.ones_like(mask), weight, torch.zeros_like(bias))
    found = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_modulated_equals_the_loop_nest(case):
    given = tensors(case)
    found = mmcv_ops.modulated_deform_conv2d(*given, *case[5:])
    torch.testing.assert_close(found, loop_nest(case, *given))


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_v1_gradients(case):
    image, offset, _, weight, _ = tensors(case)
    assert torch.autograd.gradcheck(
        lambda *t: mmcv_ops.deform_conv2d(*t, *case[5:]), (image, offset, weight)
    )


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_modulated_gradients(case):
    assert torch.autograd.gradcheck(
        lambda *t: mmcv_ops.modulated_deform_conv2d(*t, *case[5:]), tensors(case)
    )
