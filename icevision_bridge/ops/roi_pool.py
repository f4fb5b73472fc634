"""RoIPool: the strongest feature of a region in each of a fixed grid of bins.

Girshick 2015, "Fast R-CNN". torchvision's rounds regions to whole pixels before it divides them
into bins and mmcv's only rounds the bins, outwards; checkpoints were trained with the latter.
Regions and shapes are those of RoIAlign.
"""

import torch
from torch import Tensor

from .precision import kernel, widen
from .regions import add_at, alike, as_rows


def _edges(first: Tensor, last: Tensor, bins: int, length: int) -> tuple[Tensor, Tensor]:
    """First pixel of each bin and the first after it, (K, bins), for regions ``first`` to ``last``.

    A region of no or negative extent has empty bins.
    """
    step = ((last - first) / bins)[:, None]
    number = torch.arange(bins, device=first.device)
    low = (number * step + first[:, None]).floor().clamp(0, length)
    high = ((number + 1) * step + first[:, None]).ceil().clamp(0, length)
    return low.long(), torch.where(step > 0, high, low).long()


@kernel
def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill ``output``, and ``argmax`` with the pixel (y * W + x) that was strongest, or -1.

    A RoI's last pixel belongs to it. A bin without a pixel of the map is 0.
    """
    features = widen(input)
    rois = rois.to(features)
    channels, height, width = features.shape[1:]
    pixels, first_pixel = as_rows(features), rois[:, 0].long() * (height * width)
    start, end = rois[:, 1:3] * spatial_scale, (rois[:, 3:] + 1) * spatial_scale
    left, right = _edges(start[:, 0], end[:, 0], pooled_width, width)
    top, bottom = _edges(start[:, 1], end[:, 1], pooled_height, height)
    argmax.fill_(-1)
    samples = torch.stack([(bottom - top).amax(1), (right - left).amax(1)], 1)
    for part, rows, columns in alike(samples, channels * pooled_height * pooled_width):
        # Axes: region, bin row, bin column, pixel row, pixel column.
        y = top[part][:, :, None, None, None] + torch.arange(rows, device=rois.device)[:, None]
        x = left[part][:, None, :, None, None] + torch.arange(columns, device=rois.device)
        inside = (y < bottom[part][:, :, None, None, None]) & (
            x < right[part][:, None, :, None, None]
        )
        pixel = torch.where(inside, y * width + x, 0).flatten(3)
        value = pixels[first_pixel[part].view(-1, 1, 1, 1) + pixel]
        value = value.masked_fill(~inside.flatten(3)[..., None], -torch.inf)
        best = value.max(3)
        filled = inside.flatten(3).any(3)[..., None]
        strongest = torch.where(filled, best.values, 0).permute(0, 3, 1, 2)
        place = torch.where(filled, pixel.gather(3, best.indices), -1).permute(0, 3, 1, 2)
        output[part] = strongest.to(output.dtype)
        argmax[part] = place.to(argmax.dtype)


@kernel
def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill ``grad_input`` (B, C, H, W): each gradient goes to its bin's strongest pixel."""
    gradient = widen(grad_output) * (argmax >= 0)
    total = torch.zeros_like(grad_input, dtype=gradient.dtype)
    add_at(total, rois[:, 0].long(), argmax.long().clamp(min=0), gradient)
    grad_input.copy_(total)
