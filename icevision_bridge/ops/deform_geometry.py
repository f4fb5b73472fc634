"""The numbers that describe a deformable convolution, whichever way it is computed."""

from typing import NamedTuple

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
