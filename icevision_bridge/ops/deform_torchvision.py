"""Deformable convolution by torchvision's kernel, which is the fast way on CUDA.

Its offset channels have mmcv's order (y before x, tap by tap, deformable group by deformable group)
and it knows groups of both kinds. It differs in a sample that lies exactly one pixel outside of the
map: that sees nothing, and its offset learns in torchvision, but not in mmcv. A fresh layer with
padding begins with its whole border there. Shapes are those of ``deform``.
"""

import torch
from torch import Tensor

from .deform_geometry import Geometry

_KERNEL = torch.ops.torchvision


def _arguments(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, geometry: Geometry
) -> tuple:
    # torchvision wants a mask and a bias, used or not.
    return (
        input,
        weight,
        offset,
        input.new_zeros(len(input), 1) if mask is None else mask,
        weight.new_zeros(len(weight)),
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
        geometry.groups,
        geometry.deform_groups,
        mask is not None,
    )


def convolve(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, *, geometry: Geometry
) -> Tensor:
    """The convolution (B, O, oH, oW), without bias."""
    return _KERNEL.deform_conv2d(*_arguments(input, weight, offset, mask, geometry))


def gradients(
    gradient: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    *,
    geometry: Geometry,
) -> tuple[Tensor, ...]:
    """Gradients of input, weight, offset and mask for that of the output."""
    arguments = _arguments(input, weight, offset, mask, geometry)
    found = _KERNEL._deform_conv2d_backward(gradient.contiguous(), *arguments)[:4]
    where = geometry.positions(input, weight, offset)
    y, x = where.unbind(3)
    height, width = input.shape[2:]
    outside = (y <= -1) | (y >= height) | (x <= -1) | (x >= width)
    found[2].masked_fill_(outside[:, :, :, None].expand_as(where).reshape(offset.shape), 0)
    return found
