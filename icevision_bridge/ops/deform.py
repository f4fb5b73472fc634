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


def _geometry(numbers: dict[str, int]) -> Geometry:
    """What mmcv passes by name, v1 as ``dH`` and ``padW``, v2 as ``stride_h`` and ``pad_w``."""
    names = ("stride_{}", "pad_{}", "dilation_{}")
    sides = ("h", "w")
    if "dH" in numbers:
        names, sides = ("d{}", "pad{}", "dilation{}"), ("H", "W")
    stride, padding, dilation = (
        (numbers[name.format(sides[0])], numbers[name.format(sides[1])]) for name in names
    )
    return Geometry(stride, padding, dilation, numbers["group"], numbers["deformable_group"])


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
    **numbers: int,
) -> None:
    """Fill ``output``; the kernel's size is read off ``weight``, the batch is taken whole."""
    output.copy_(_forward(input, weight, offset, None, _geometry(numbers)))


@kernel
def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **numbers: int,
) -> None:
    """Fill ``gradInput`` and ``gradOffset``, and leave the weight's gradient in ``columns``.

    The backward pass yields all three at once and is the dearest part of a training step, but
    mmcv asks for the weight's in a second call right after this one. ``columns`` is scratch memory
    of the same autograd node, empty at first, which that call is given too.
    """
    grad_input, grad_weight, grad_offset, _ = _backward(
        gradOutput, input, weight, offset, None, _geometry(numbers)
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
    scale: float,
    **numbers: int,
) -> None:
    """Add ``scale`` times the weight's gradient to ``gradWeight``.

    ``deform_conv_backward_input`` has left it in ``columns``, unless only the weight is trained.
    """
    grad_weight = columns
    if columns.numel() == 0:
        weight = torch.zeros_like(gradWeight)  # its own gradient does not depend on it
        grad_weight = _backward(gradOutput, input, weight, offset, None, _geometry(numbers))[1]
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
    with_bias: bool,
    **numbers: int,
) -> None:
    """Fill ``output``; ``bias`` is an empty tensor when there is none."""
    result = _forward(input, weight, offset, mask, _geometry(numbers))
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
    with_bias: bool,
    **numbers: int,
) -> None:
    """Fill all five gradients (``grad_bias`` only if there is a bias)."""
    gradients = _backward(grad_output, input, weight, offset, mask, _geometry(numbers))
    grad_input.copy_(gradients[0])
    grad_weight.copy_(gradients[1])
    grad_offset.copy_(gradients[2])
    grad_mask.copy_(gradients[3])
    if with_bias:
        grad_bias.copy_(widen(grad_output).sum((0, 2, 3)))
