"""Deformable convolution, v1 and modulated (v2), on torchvision's kernel.

Dai et al. 2017, "Deformable Convolutional Networks"; Zhu et al. 2019, "Deformable ConvNets v2".
torchvision's kernel has groups and offset groups on the CPU and on CUDA, and the same order of the
offset channels as mmcv (y before x, tap by tap, deformable group by deformable group).

Shapes: input (B, C, H, W), weight (O, C / groups, kH, kW), offset (B, G * 2 * kH * kW, oH, oW) in
pixels, mask (B, G * kH * kW, oH, oW), output (B, O, oH, oW).
"""

# mmcv passes that many arguments by position.
# ruff: noqa: PLR0917

from typing import NamedTuple

import torch
from torch import Tensor

from .precision import kernel, widen

_KERNEL = torch.ops.torchvision


class Geometry(NamedTuple):
    """How the window moves, (height, width) each, and how the channels are grouped."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int


def _arguments(mask: Tensor | None, input: Tensor, bias: Tensor, geometry: Geometry) -> tuple:
    # torchvision wants a tensor in both places, used or not.
    return (
        input.new_zeros(input.shape[0], 1) if mask is None else widen(mask),
        widen(bias),
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
        geometry.groups,
        geometry.deform_groups,
        mask is not None,
    )


def _forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor,
    geometry: Geometry,
) -> Tensor:
    input, weight, offset = widen(input), widen(weight), widen(offset)
    rest = _arguments(mask, input, bias, geometry)
    return _KERNEL.deform_conv2d(input, weight, offset, *rest)


def _backward(
    gradient: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor,
    geometry: Geometry,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, weight, offset, mask and bias."""
    input, weight, offset = widen(input), widen(weight), widen(offset)
    rest = _arguments(mask, input, bias, geometry)
    return _KERNEL._deform_conv2d_backward(
        widen(gradient).contiguous(), input, weight, offset, *rest
    )


def _no_bias(weight: Tensor) -> Tensor:
    return weight.new_zeros(weight.shape[0])


@kernel
def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Fill ``output``; the kernel's size is read off ``weight``, the batch is taken whole."""
    geometry = Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    output.copy_(_forward(input, weight, offset, None, _no_bias(weight), geometry))


@kernel
def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    *,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Fill ``gradInput`` and ``gradOffset``, and park the weight's gradient in ``columns``.

    The backward pass yields all three at once and is the dearest part of a training step, but
    mmcv asks for the weight's in a second call. ``columns`` is scratch memory of the same autograd
    node, empty until now, which that call is given too.
    """
    geometry = Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    grad_input, grad_weight, grad_offset, _, _ = _backward(
        gradOutput, input, weight, offset, None, _no_bias(weight), geometry
    )
    gradInput.copy_(grad_input)
    gradOffset.copy_(grad_offset)
    columns.resize_(weight.shape).copy_(grad_weight)


@kernel
def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add ``scale`` times the weight's gradient to ``gradWeight``.

    It is taken from ``columns`` if ``deform_conv_backward_input`` has just left it there, and
    computed if only the weight is trained.
    """
    if columns.numel() == 0:
        geometry = Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
        weight = torch.zeros_like(gradWeight)  # its own gradient does not depend on it
        _, grad_weight, _, _, _ = _backward(
            gradOutput, input, weight, offset, None, _no_bias(weight), geometry
        )
        gradWeight.add_(grad_weight, alpha=scale)
    else:
        gradWeight.add_(columns, alpha=scale)
        columns.resize_(0)


@kernel
def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Fill ``output``; ``bias`` is an empty tensor when there is none."""
    geometry = Geometry(
        (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w), group, deformable_group
    )
    if not with_bias:
        bias = _no_bias(weight)
    output.copy_(_forward(input, weight, offset, mask, bias, geometry))


@kernel
def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Fill all five gradients (``grad_bias`` only if there is a bias)."""
    geometry = Geometry(
        (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w), group, deformable_group
    )
    gradients = _backward(
        grad_output,
        input,
        weight,
        offset,
        mask,
        bias if with_bias else _no_bias(weight),
        geometry,
    )
    grad_input.copy_(gradients[0])
    grad_weight.copy_(gradients[1])
    grad_offset.copy_(gradients[2])
    grad_mask.copy_(gradients[3])
    if with_bias:
        grad_bias.copy_(gradients[4])
