"""Separable convolutions: an eighth of the work in the neck and the head of a detector."""

from typing import Any

from mmcv.cnn import CONV_LAYERS
from torch import nn


@CONV_LAYERS.register_module()
class SeparableConv2d(nn.Sequential):
    """A convolution of each channel by itself, then one of 1 x 1 that mixes them (Chollet 2017).

    It stands wherever mmcv's ``ConvModule`` is told ``conv_cfg=dict(type="SeparableConv2d")``. One
    of 1 x 1 has nothing to separate and stays a convolution. It maps (N, in_channels, H, W) to
    (N, out_channels, H', W').

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: a side of the kernel, in pixels.
        bias: whether the output has one.
        geometry: stride, padding and dilation, as ``nn.Conv2d`` takes them.
    """

    transposed, output_padding = False, (0, 0)  # which ConvModule asks for

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        groups: int = 1,
        bias: bool = True,
        **geometry: Any,
    ) -> None:
        if groups != 1:
            raise ValueError(f"{groups} groups: a separable convolution has one, so leave them out")
        if kernel_size == 1:
            where = nn.Conv2d(in_channels, out_channels, 1, bias=bias, **geometry)
            super().__init__(where)
        else:
            where = nn.Conv2d(
                in_channels, in_channels, kernel_size, groups=in_channels, bias=False, **geometry
            )
            super().__init__(where, nn.Conv2d(in_channels, out_channels, 1, bias=bias))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = where.kernel_size, where.stride
        self.padding, self.dilation = where.padding, where.dilation
