"""RoIAlign: the features of a region, sampled between pixels and pooled to a fixed grid of bins.

He et al. 2017, "Mask R-CNN". A region of interest is a row (image number, x1, y1, x2, y2) in pixels
of the photo, which ``spatial_scale`` makes pixels of the map. Shapes: input (B, C, H, W), rois
(K, 5), output (K, C, h, w). Averages are torchvision's; it has no maximum, which stands here.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .precision import kernel, widen
from .regions import add_at, alike, as_rows

_KERNEL = torch.ops.torchvision
_MAX = 0  # mmcv's number for this pooling mode; 1 is the average


class _Axis(NamedTuple):
    """Along y or x: where a region's first bin starts, a bin's length, and samples in it; (K,)."""

    start: Tensor
    step: Tensor
    samples: Tensor

    def at(self, bin_number: Tensor, sample: Tensor, regions: Tensor | None = None) -> Tensor:
        """Position of a sample; the arguments broadcast against regions on their first axis."""
        start, step, samples = self if regions is None else (part[regions] for part in self)
        shape = (-1,) + (1,) * (max(bin_number.dim(), sample.dim()) - 1)
        within = (sample.to(start) + 0.5) / samples.clamp(min=1).view(shape)
        return start.view(shape) + step.view(shape) * (bin_number + within)


def _axes(
    rois: Tensor, size: tuple[int, int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> tuple[_Axis, _Axis]:
    scaled = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0)
    axes = []
    for first, bins in ((1, size[0]), (0, size[1])):
        length = scaled[:, first + 2] - scaled[:, first]
        step = (length if aligned else length.clamp(min=1)) / bins
        samples = torch.full_like(step, sampling_ratio) if sampling_ratio > 0 else step.ceil()
        axes.append(_Axis(scaled[:, first], step, samples.long()))
    return axes[0], axes[1]


def _corners(y: Tensor, x: Tensor, height: int, width: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The four pixels (y * W + x) around each point and their shares of its value.

    Up to one pixel outside of the map the rim's value holds, farther out nothing does.
    """
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.floor(), x.floor()
    for row, down in ((top, 1 - (y - top)), ((top + 1).clamp(max=height - 1), y - top)):
        for column, across in ((left, 1 - (x - left)), ((left + 1).clamp(max=width - 1), x - left)):
            yield (row * width + column).long(), down * across * inside


@kernel
def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output``; when the maximum is asked for, also which sample it was.

    ``sampling_ratio`` squared points are sampled in a bin, or, if it is 0, about one a pixel.
    ``aligned`` takes a pixel's value to lie at its centre. ``argmax_y`` and ``argmax_x`` receive
    the sample's row and column in its bin, small whole numbers, because 16-bit floats hold those
    exactly and positions in a map not.
    """
    features, size = widen(input), (aligned_height, aligned_width)
    rois = rois.to(features)
    if pool_mode != _MAX:
        output.copy_(
            _KERNEL.roi_align(features, rois, spatial_scale, *size, sampling_ratio, aligned)
        )
        return
    channels, height, width = features.shape[1:]
    pixels, first_pixel = as_rows(features), rois[:, 0].long() * (height * width)
    vertical, horizontal = _axes(rois, size, spatial_scale, sampling_ratio, aligned)
    samples = torch.stack([vertical.samples, horizontal.samples], 1)
    steps = [torch.arange(n, device=rois.device) for n in size]
    for part, rows, columns in alike(samples, channels * size[0] * size[1]):
        # Axes: region, bin row, bin column, sample row, sample column.
        row = torch.arange(rows, device=rois.device)[:, None]
        column = torch.arange(columns, device=rois.device)
        y = vertical.at(steps[0][None, :, None, None, None], row, part)
        x = horizontal.at(steps[1][None, None, :, None, None], column, part)
        value = features.new_zeros(())
        for pixel, share in _corners(y, x, height, width):
            found = pixels[first_pixel[part].view(-1, 1, 1, 1, 1) + pixel]
            value = value + found * share[..., None]
        best = value.flatten(3, 4).max(3)
        output[part] = best.values.permute(0, 3, 1, 2).to(output.dtype)
        sample = best.indices.permute(0, 3, 1, 2)
        argmax_y[part] = (sample // columns).to(argmax_y.dtype)
        argmax_x[part] = (sample % columns).to(argmax_x.dtype)


@kernel
def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``grad_input`` (B, C, H, W)."""
    gradient, size = widen(grad_output), (aligned_height, aligned_width)
    rois = rois.to(gradient)
    if pool_mode != _MAX:
        grad_input.copy_(
            _KERNEL._roi_align_backward(
                gradient, rois, spatial_scale, *size, *grad_input.shape, sampling_ratio, aligned
            )
        )
        return
    vertical, horizontal = _axes(rois, size, spatial_scale, sampling_ratio, aligned)
    bin_row = torch.arange(size[0], device=rois.device)[None, None, :, None]
    bin_column = torch.arange(size[1], device=rois.device)[None, None, None, :]
    y = vertical.at(bin_row, argmax_y.to(gradient))
    x = horizontal.at(bin_column, argmax_x.to(gradient))
    sampled = (vertical.samples > 0) & (horizontal.samples > 0)
    gradient = gradient * sampled.view(-1, 1, 1, 1)
    total = torch.zeros_like(grad_input, dtype=gradient.dtype)
    for pixel, share in _corners(y, x, *grad_input.shape[2:]):
        add_at(total, rois[:, 0].long(), pixel, gradient * share)
    grad_input.copy_(total)
