"""Separable convolutions do what nn.Conv2d does with a kernel that is a product."""

import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from cellcount.detector.separable import SeparableConv2d


@pytest.mark.parametrize("geometry", [{}, {"stride": 2}, {"padding": 1}, {"dilation": 2}])
@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_a_convolution_whose_kernel_is_a_product(kernel, geometry):
    ours = SeparableConv2d(5, 7, kernel, **geometry)
    whole = nn.Conv2d(5, 7, kernel, **geometry)
    with torch.no_grad():
        if kernel == 1:
            whole.weight.copy_(ours[0].weight)
        else:
            spread, mix = ours[0].weight, ours[1].weight  # (5, 1, 3, 3) and (7, 5, 1, 1)
            whole.weight.copy_(mix * spread[None, :, 0])
        whole.bias.copy_(ours[-1].bias)
        photo = torch.randn(2, 5, 9, 11)
        torch.testing.assert_close(ours(photo), whole(photo))
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"):
        assert getattr(ours, name) == getattr(whole, name)


def test_mmcv_builds_it_and_drops_the_bias_before_a_norm():
    block = ConvModule(
        64,
        64,
        3,
        padding=1,
        conv_cfg={"type": "SeparableConv2d"},
        norm_cfg={"type": "GN", "num_groups": 32},
    )
    assert isinstance(block.conv, SeparableConv2d)
    assert block.conv[-1].bias is None
    assert block(torch.zeros(1, 64, 8, 8)).shape == (1, 64, 8, 8)


def test_groups_are_refused():
    with pytest.raises(ValueError, match="has one"):
        SeparableConv2d(4, 4, 3, groups=2)
