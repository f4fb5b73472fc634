"""The numbers that describe a deformable convolution, whichever way it is computed."""

from typing import NamedTuple

import torch
from torch import Tensor


class Geometry(NamedTuple):
    """How the window moves, (height, width) each, and how the channels are grouped."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int

    def output_size(self, input: Tensor, weight: Tensor) -> tuple[int, int]:
        """Height and width of the output for input (B, C, H, W) and weight (O, C', kH, kW)."""
        height, width = (
            (input.shape[2 + axis] + 2 * self.padding[axis] - self.dilation[axis] * (taps - 1) - 1)
            // self.stride[axis]
            + 1
            for axis, taps in enumerate(weight.shape[2:])
        )
        return height, width

    def positions(self, input: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
        """Where each window samples, (B, G, taps, 2, oH, oW): y and x in pixels of the input.

        Of the input and the weight only the shape matters. ValueError if that of the offset does
        not belong to theirs.
        """
        size, kernel = self.output_size(input, weight), weight.shape[2:]
        taps = kernel[0] * kernel[1]
        expected = (len(input), 2 * taps * self.deform_groups, *size)
        if offset.shape != expected:
            raise ValueError(
                f"The offset of a deformable convolution should have the shape {expected} for this "
                f"input and kernel, but has {tuple(offset.shape)}."
            )
        rows, columns = (
            (torch.arange(kernel[axis], device=offset.device) * self.dilation[axis])[:, None]
            + torch.arange(size[axis], device=offset.device) * self.stride[axis]
            - self.padding[axis]
            for axis in (0, 1)
        )
        whole = (*kernel, *size)
        fixed = (rows[:, None, :, None].expand(whole), columns[:, None].expand(whole))
        moved = offset.reshape(len(input), self.deform_groups, taps, 2, *size)
        return moved + torch.stack(fixed, 2).flatten(0, 1)
