"""Convolution at chosen places only, as guided anchoring uses it to infer (mmcv's MaskedConv2d).

mmcv multiplies the columns by the weights; here is what brings pixels into columns and back.
"""

from torch import Tensor
from torch.nn.functional import pad

from .precision import kernel


@kernel
def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Fill ``col`` (C * kH * kW, n) with the windows of ``im`` (1, C, H, W) at n output places."""
    padded = pad(im[0], (pad_w, pad_w, pad_h, pad_h))
    windows = padded.unfold(1, kernel_h, 1).unfold(2, kernel_w, 1)[:, mask_h_idx, mask_w_idx]
    col.copy_(windows.permute(0, 2, 3, 1).reshape(col.shape))


@kernel
def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    *,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Write column k of ``col`` (C, n) to the k-th place of ``im`` (1, C, height, width)."""
    im[0][:, mask_h_idx, mask_w_idx] = col.to(im.dtype)
