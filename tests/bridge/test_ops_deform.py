"""mmcv's deformable convolutions against a loop over every output, tap and channel, in float64."""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from icevision_bridge import ops
from icevision_bridge.ops import deform, deform_cpu, deform_torchvision

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402

ops.accept_empty()


@pytest.fixture(autouse=True)
def one_thread():
    """On tensors this small, threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    Case(2, 1, 2, (3, 4), (3, 3), (1, 1), (1, 1), (1, 1), 1, 1),
    Case(1, 4, 4, (5, 7), (3, 3), (2, 2), (1, 1), (1, 1), 2, 1),
    Case(1, 4, 2, (6, 5), (3, 3), (1, 1), (0, 0), (2, 2), 1, 2),
    Case(1, 4, 2, (5, 4), (2, 3), (2, 1), (1, 2), (1, 2), 2, 2),
    Case(2, 2, 2, (3, 3), (1, 1), (1, 1), (0, 0), (1, 1), 1, 1),
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


WAYS = {"cpu": deform_cpu, "torchvision": deform_torchvision}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Both ways to compute it; CUDA's is torchvision's, whose kernel also runs on the CPU."""
    monkeypatch.setattr(deform, "_way", lambda device: WAYS[request.param])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_v1_equals_the_loop_nest(case):
    image, offset, mask, weight, bias = tensors(case)
    expected = loop_nest(case, image, offset, torch.ones_like(mask), weight, torch.zeros_like(bias))
    found = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("way")
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


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_gradients_by_torchvision_are_those_that_were_checked(case, monkeypatch):
    found = []
    for module in WAYS.values():
        monkeypatch.setattr(deform, "_way", lambda device, module=module: module)
        image, offset, mask, weight, bias = tensors(case)
        v1 = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
        v2 = mmcv_ops.modulated_deform_conv2d(image, offset, mask, weight, bias, *case[5:])
        (v1.square().sum() + v2.square().sum()).backward()
        found.append([t.grad for t in (image, offset, mask, weight, bias)])
    torch.testing.assert_close(*found)


def test_windows_taken_one_by_one_give_the_same(monkeypatch):
    case, found = CASES[3], []
    for at_once in (deform_cpu._AT_ONCE, 1):
        monkeypatch.setattr(deform_cpu, "_AT_ONCE", at_once)
        given = tensors(case)
        result = mmcv_ops.modulated_deform_conv2d(*given, *case[5:])
        found.append([result, *torch.autograd.grad(result.square().sum(), given)])
    torch.testing.assert_close(*found)


def test_float32_is_torchvisions_to_five_digits():
    case = Case(2, 32, 24, (33, 47), (3, 3), (1, 1), (1, 1), (1, 1), 1, 1)
    image, offset, mask, weight, _ = (t.detach().float() for t in tensors(case, spread=3))
    geometry = deform.Geometry(*case[5:])
    incoming = torch.randn(2, 24, 33, 47, generator=torch.Generator().manual_seed(0))
    found = []
    for module in WAYS.values():
        result = module.convolve(image, weight, offset, mask, geometry=geometry)
        slopes = module.gradients(incoming, image, weight, offset, mask, geometry=geometry)
        found.append([part / part.abs().max() for part in (result, *slopes)])
    torch.testing.assert_close(*found, rtol=0, atol=1e-5)


def test_offsets_that_are_no_numbers_spoil_only_their_window():
    case = CASES[0]
    image, offset, _, weight, _ = (tensor.detach() for tensor in tensors(case))
    clean = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    offset[0, 3, 1, 2], offset[1, 0, 0, 0] = math.nan, math.inf
    found = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    assert found[0, :, 1, 2].isnan().all()
    offset[0, 3, 1, 2], offset[1, 0, 0, 0] = 0, 1e4
    far = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    torch.testing.assert_close(found[1], far[1])
    elsewhere = torch.ones(clean.shape, dtype=bool)
    elsewhere[0, :, 1, 2] = elsewhere[1, :, 0, 0] = False
    torch.testing.assert_close(found[elsewhere], clean[elsewhere], rtol=0, atol=0)


def test_an_offset_of_the_wrong_size_is_refused():
    image, offset, _, weight, _ = tensors(CASES[0])
    with pytest.raises(ValueError, match=r"offset .* should have the shape \(2, 18, 3, 2\)"):
        mmcv_ops.deform_conv2d(image, offset, weight, (1, 1), (1, 0), (1, 1))


def test_only_the_weight_is_trained():
    case = CASES[1]
    image, offset, _, weight, _ = tensors(case)
    mmcv_ops.deform_conv2d(image, offset, weight, *case[5:]).square().sum().backward()
    alone = weight.detach().clone().requires_grad_()
    result = mmcv_ops.deform_conv2d(image.detach(), offset.detach(), alone, *case[5:])
    result.square().sum().backward()
    torch.testing.assert_close(alone.grad, weight.grad)


def test_several_backward_passes_through_the_same_graph():
    case = CASES[1]
    image, offset, _, weight, _ = tensors(case)
    given = (image, offset, weight)
    result = mmcv_ops.deform_conv2d(*given, *case[5:])
    slope = torch.ones_like(result)

    def grad(*of, factor=1):
        return torch.autograd.grad(result, of, factor * slope, retain_graph=True)

    expected = grad(weight)[0]
    torch.testing.assert_close(grad(*given)[2], expected)
    grad(image, offset)
    torch.testing.assert_close(grad(weight, factor=2)[0], 2 * expected)
    grad(image)
    slope *= 3
    torch.testing.assert_close(grad(weight)[0], 3 * expected)


def test_the_layer_without_offsets_is_a_convolution_and_learns():
    torch.manual_seed(0)
    layer = mmcv_ops.DeformConv2d(4, 6, 3, stride=2, padding=1, groups=2)
    image = torch.randn(2, 4, 7, 9).to(memory_format=torch.channels_last).requires_grad_()
    result = layer(image, torch.zeros(2, 18, 4, 5))
    expected = conv2d(image, layer.weight, stride=2, padding=1, groups=2)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)
    found = torch.autograd.grad(result.sum(), (image, layer.weight))
    wanted = torch.autograd.grad(expected.sum(), (image, layer.weight))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_fresh_pack_is_a_convolution():
    torch.manual_seed(0)
    image = torch.randn(1, 4, 6, 5)
    v1 = mmcv_ops.DeformConv2dPack(4, 3, 3, padding=1, deform_groups=2)
    torch.testing.assert_close(v1(image), conv2d(image, v1.weight, padding=1))
    v2 = mmcv_ops.ModulatedDeformConv2dPack(4, 3, 3, padding=1, deform_groups=2)
    torch.nn.init.normal_(v2.bias)
    # Its masks start at sigmoid(0).
    expected = conv2d(image, v2.weight / 2, v2.bias, padding=1)
    torch.testing.assert_close(v2(image), expected, rtol=1e-5, atol=1e-6)
    v2(image).sum().backward()
    assert v2.conv_offset.weight.grad.abs().sum() > 0


def test_an_image_smaller_than_the_kernel():
    layer = mmcv_ops.DeformConv2d(2, 3, 5, padding=2)
    image = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = layer(image, torch.zeros(1, 50, 3, 4))
    torch.testing.assert_close(found, conv2d(image, layer.weight, padding=2))


def test_im2col_step_changes_nothing_and_must_divide_the_batch():
    case = CASES[0]._replace(batch=4)
    image, offset, _, weight, _ = tensors(case)
    whole = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:])
    stepwise = mmcv_ops.deform_conv2d(image, offset, weight, *case[5:], False, 2)
    torch.testing.assert_close(stepwise, whole)
    with pytest.raises(AssertionError, match="divisible by im2col_step"):
        mmcv_ops.deform_conv2d(image, offset, weight, *case[5:], False, 3)


@pytest.mark.usefixtures("way")
def test_an_empty_batch():
    given = tensors(CASES[1])
    image, offset, mask = (t.detach()[:0].requires_grad_() for t in given[:3])
    weight, bias = given[3:]
    v1 = mmcv_ops.deform_conv2d(image, offset, weight, *CASES[1][5:])
    v2 = mmcv_ops.modulated_deform_conv2d(image, offset, mask, weight, bias, *CASES[1][5:])
    assert v1.shape == v2.shape == (0, 4, 3, 4)
    (v1.sum() + v2.sum()).backward()
    assert image.grad.shape == image.shape
    assert torch.count_nonzero(weight.grad) == torch.count_nonzero(bias.grad) == 0


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("layer", ["DeformConv2dPack", "ModulatedDeformConv2dPack"])
def test_autocast_to_bfloat16_is_close_and_learns(layer):
    torch.manual_seed(0)
    layer = getattr(mmcv_ops, layer)(8, 8, 3, padding=1)
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.1)
    image = torch.randn(2, 8, 9, 7)
    exact = layer(image)
    wanted = torch.autograd.grad(exact.square().sum(), list(layer.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(image)
        loss = rounded.float().square().sum()
    assert rounded.dtype == torch.bfloat16
    assert (rounded - exact).abs().mean() < 0.02 * exact.abs().mean()
    found = torch.autograd.grad(loss, list(layer.parameters()))
    for each, want in zip(found, wanted, strict=True):
        assert each.dtype == torch.float32
        assert torch.cosine_similarity(each.flatten(), want.flatten(), dim=0) > 0.98


@pytest.mark.usefixtures("way")
def test_float32_stays_float32_under_autocast():
    case = CASES[1]
    given = [tensor.detach().float().requires_grad_() for tensor in tensors(case)]

    def results():
        result = mmcv_ops.modulated_deform_conv2d(*given, *case[5:])
        return [result, *torch.autograd.grad(result.sum(), given)]

    with torch.autocast("cpu", torch.bfloat16):
        found = results()
    torch.testing.assert_close(found, results())
