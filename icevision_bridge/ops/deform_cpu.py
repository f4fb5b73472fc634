"""Deformable convolution on the CPU, several times as fast as torchvision's kernel there.

A sample between four pixels is a weighted sum of four rows of a table that holds a pixel's channels
in each row, which is just what ``embedding_bag`` computes, forwards and backwards on all cores and
with vector instructions; torchvision's backward pass runs on one core and walks through memory
channel by channel. The samples then meet the weights in one matrix product.

The windows are taken in pieces to bound memory, and the backward pass samples again what the
forward pass would have had to keep, kH * kW times the size of the input. Shapes are those of
``deform``; below, taps = kH * kW and G is the number of deformable groups.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, threshold

from .deform_geometry import Geometry

_AT_ONCE = 2**23  # sampled values in memory at a time: 32 MB in float32


def _bags(y: Tensor, x: Tensor, *, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four pixels (y * width + x) around each position, and their shares, on a new last axis.

    Pixels outside of the map have no share. A position that is not a number yields none, but no
    access outside of the table either (torchvision's kernel can end the process there). One at
    exactly -1 is taken for one farther out: it sees nothing either, and in mmcv learns nothing.
    """
    y, x = (threshold(at, -1, -2).clamp(max=size + 1) for at, size in ((y, height), (x, width)))
    top, left = y.detach().floor(), x.detach().floor()
    numbers, shares = [], []
    for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, across in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            pixel = row.long().clamp(0, height - 1) * width + column.long().clamp(0, width - 1)
            numbers.append(pixel)
            shares.append(down * across * inside)
    return torch.stack(numbers, -1), torch.stack(shares, -1)


def _columns(
    table: Tensor, where: Tensor, mask: Tensor, *, size: torch.Size, groups: int
) -> Tensor:
    """What n windows of one image see at ``where`` (n, 2, taps, G): (groups, n, taps * C / groups).

    ``table`` (H * W * G, C / G) holds the image, ``mask`` is (n, taps, G).
    """
    count, taps, deform_groups = mask.shape
    numbers, shares = _bags(where[:, 0], where[:, 1], height=size[0], width=size[1])
    numbers = numbers * deform_groups + torch.arange(deform_groups)[:, None]
    shares = shares * mask[..., None]
    samples = embedding_bag(
        numbers.view(-1, 4), table, per_sample_weights=shares.view(-1, 4), mode="sum"
    )
    return samples.view(count, taps, groups, -1).permute(2, 0, 1, 3).flatten(2)


def _prepare(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Table, kernel (groups, taps * C / groups, O / groups), where and mask of ``_columns``.

    All but the kernel have the batch in front.
    """
    where = geometry.positions(input, weight, offset).flatten(4).permute(0, 4, 3, 2, 1)
    batch, deform_groups = len(input), geometry.deform_groups
    rows = input.shape[2] * input.shape[3] * deform_groups
    table = input.permute(0, 2, 3, 1).reshape(batch, rows, -1)
    grouped = weight.unflatten(0, (geometry.groups, -1))
    kernel = grouped.permute(0, 3, 4, 2, 1).flatten(1, 3)
    mask = mask.reshape(batch, deform_groups, where.shape[3], -1).permute(0, 3, 2, 1)
    return table, kernel.contiguous(), where.contiguous(), mask.contiguous()


def _no_mask(offset: Tensor) -> Tensor:
    return offset.new_ones(len(offset), offset.shape[1] // 2, *offset.shape[2:])


def _pieces(mask: Tensor, channels: int) -> list[tuple[int, slice]]:
    """Image and windows of each piece of work."""
    batch, windows, taps, _ = mask.shape
    step = max(1, _AT_ONCE // (taps * channels))
    return [(b, slice(i, i + step)) for b in range(batch) for i in range(0, windows, step)]


def convolve(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, *, geometry: Geometry
) -> Tensor:
    """The convolution (B, O, oH, oW), without bias."""
    mask = _no_mask(offset) if mask is None else mask
    table, kernel, where, mask = _prepare(input, weight, offset, mask, geometry)
    result = input.new_empty(*where.shape[:2], len(weight))
    for at in _pieces(mask, input.shape[1]):
        columns = _columns(
            table[at[0]], where[at], mask[at], size=input.shape[2:], groups=len(kernel)
        )
        result[at] = (columns @ kernel).transpose(0, 1).flatten(1)
    return result.transpose(1, 2).reshape(len(input), len(weight), *offset.shape[2:])


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


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
    mask = _no_mask(offset) if mask is None else mask
    given = _leaf(input), _leaf(weight), _leaf(offset), _leaf(mask)
    with torch.enable_grad():
        prepared = _prepare(*given, geometry)
    table, kernel, where, mask = prepared
    to_table, to_kernel, to_where, to_mask = totals = [torch.zeros_like(each) for each in prepared]
    # (B, groups, oH * oW, O / groups)
    incoming = gradient.flatten(2).unflatten(1, (len(kernel), -1)).transpose(2, 3)
    for image, windows in _pieces(mask, input.shape[1]):
        at = image, windows
        piece = _leaf(table[image]), _leaf(where[at]), _leaf(mask[at])
        with torch.enable_grad():
            columns = _columns(*piece, size=input.shape[2:], groups=len(kernel))
        slope = incoming[image, :, windows]
        to_kernel += columns.detach().transpose(1, 2) @ slope
        # The product with the kernel is not computed again: its gradients are known without it.
        found = torch.autograd.grad(columns, piece, slope @ kernel.detach().transpose(1, 2))
        to_table[image] += found[0]
        to_where[at], to_mask[at] = found[1:]
    return torch.autograd.grad(prepared, given, totals)
