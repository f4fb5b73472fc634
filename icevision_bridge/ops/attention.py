"""Multi-scale deformable attention: Zhu et al. 2021, "Deformable DETR".

mmcv has this operation in plain torch too, and itself uses that on the CPU; its kernel is asked for
on CUDA only. Here the plain form serves both.
"""

# mmcv passes that many arguments by position.
# ruff: noqa: PLR0917

import torch
from torch import Tensor

from .precision import kernel, widen


def _attend(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """The plain form, but that a sample exactly one pixel outside of a level learns nothing.

    The value there is 0 in the kernel and in the plain form, its slope in the kernel only.
    """
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    sizes = shapes.flip(-1)[:, None]  # width and height, as x stands before y
    pixel = locations * sizes - 0.5
    outside = ((pixel <= -1) | (pixel >= sizes)).any(-1, keepdim=True)
    locations = locations.masked_fill(outside, -1)  # far enough out to touch no pixel
    return multi_scale_deformable_attn_pytorch(value, shapes.tolist(), locations, weights)


@kernel
def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    *,
    im2col_step: int,
) -> Tensor:
    """Attention output (B, queries, heads * D) for ``value`` (B, keys, heads, D).

    ``spatial_shapes`` (levels, 2) holds each level's height and width, ``sampling_locations``
    (B, queries, heads, levels, points, 2) x and y from 0 to 1 across the level, and
    ``attention_weights`` the same without the last axis. Levels lie end to end in ``value``, so
    ``level_start_index`` says nothing new.
    """
    result = _attend(
        widen(value), spatial_shapes, widen(sampling_locations), widen(attention_weights)
    )
    return result.to(value.dtype)


@kernel
def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Fill the gradients of ``value``, ``sampling_locations`` and ``attention_weights``."""
    given = [
        widen(tensor).detach().requires_grad_()
        for tensor in (value, sampling_locations, attention_weights)
    ]
    with torch.enable_grad():
        result = _attend(given[0], spatial_shapes, given[1], given[2])
    found = torch.autograd.grad(result, given, widen(grad_output))
    for target, gradient in zip(
        (grad_value, grad_sampling_loc, grad_attn_weight), found, strict=True
    ):
        target.copy_(gradient)
