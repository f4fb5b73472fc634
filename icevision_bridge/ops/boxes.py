"""How much boxes overlap."""

import torch
from torch import Tensor

from .precision import kernel, widen


@kernel
def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, *, mode: int, aligned: bool, offset: int
) -> None:
    """Fill ``ious`` with overlaps of ``bboxes1`` (M, 4) and ``bboxes2`` (N, 4).

    ``ious`` is (M, N), or (M,) if ``aligned`` and M = N. The overlap is divided by the union
    (``mode`` 0) or by the area of the first box (1). ``offset`` is that of ``nms``.
    """
    first, second = widen(bboxes1), widen(bboxes2)
    if not aligned:
        first = first[:, None]
    left, top, right, bottom = first.unbind(-1)
    left2, top2, right2, bottom2 = second.unbind(-1)
    width = (torch.minimum(right, right2) - torch.maximum(left, left2) + offset).clamp(min=0)
    height = (torch.minimum(bottom, bottom2) - torch.maximum(top, top2) + offset).clamp(min=0)
    shared = width * height
    whole = (right - left + offset) * (bottom - top + offset)
    if mode == 0:
        area2 = (right2 - left2 + offset) * (bottom2 - top2 + offset)
        whole = whole + area2 - shared
    ious.copy_(shared / whole.clamp(min=offset))
