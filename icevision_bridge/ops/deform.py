"""mmcv's deformable convolutions, v1 and modulated (v2).

Dai et al. 2017, "Deformable Convolutional Networks"; Zhu et al. 2019, "Deformable ConvNets v2".
Shapes: input (B, C, H, W), weight (O, C / groups, kH, kW), offset (B, G * 2 * kH * kW, oH, oW) in
pixels, y before x, mask (B, G * kH * kW, oH, oW), output (B, O, oH, oW).
"""

# mmcv passes that many arguments by position.
# ruff: noqa: PLR0917

from types import ModuleType

import torch
from torch import Tensor

from . import deform_cpu, deform_torchvision
from .deform_geometry import Geometry
from .precision import kernel, widen


def _way(device: torch.device) -> ModuleType:
    return deform_cpu if device.type == "cpu" else deform_torchvision


def _forward(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, geometry: Geometry
) -> Tensor:
    mask = None if mask is None else widen(mask)
    return _way(input.device).convolve(
        widen(input), widen(weight), widen(offset), mask, geometry=geometry
    )


def _backward(
    gradient: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    geometry: Geometry,
) -> tuple[Tensor, ...]:
    """Gradients of input, weight, offset and mask (whatever it says if there is none)."""
    mask = None if mask is None else widen(mask)
    return _way(input.device).gradients(
        widen(gradient), widen(input), widen(weight), widen(offset), mask, geometry=geometry
    )


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
    output.copy_(_forward(input, weight, offset, None, geometry))


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
    """Fill ``gradInput`` and ``gradOffset``, and leave the weight's gradient in ``columns``.

    The backward pass yields all three at once and is the dearest part of a training step, but
    mmcv asks for the weight's in a second call right after this one. ``columns`` is scratch memory
    of the same autograd node, empty at first, which that call is given too.
    """
    geometry = Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    grad_input, grad_weight, grad_offset, _ = _backward(
        gradOutput, input, weight, offset, None, geometry
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

    ``deform_conv_backward_input`` has left it in ``columns``, unless only the weight is trained.
    """
    grad_weight = columns
    if columns.numel() == 0:
        geometry = Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
        weight = torch.zeros_like(gradWeight)  # its own gradient does not depend on it
        grad_weight = _backward(gradOutput, input, weight, offset, None, geometry)[1]
    gradWeight.add_(grad_weight, alpha=scale)


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
    result = _forward(input, weight, offset, mask, geometry)
    output.copy_(result + widen(bias)[:, None, None] if with_bias else result)


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
    gradients = _backward(grad_output, input, weight, offset, mask, geometry)
    grad_input.copy_(gradients[0])
    grad_weight.copy_(gradients[1])
    grad_offset.copy_(gradients[2])
    grad_mask.copy_(gradients[3])
    if with_bias:
        grad_bias.copy_(widen(grad_output).sum((0, 2, 3)))
