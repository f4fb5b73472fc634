"""Every operator that the bridge lends mmcv, with what it is given to compute."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Case(NamedTuple):
    """An operator of mmcv's, and what it is ``given``; the first ``learned`` get gradients."""

    run: Callable[..., Any]
    given: list[Tensor]
    learned: int = 0


def cases(quick: bool) -> dict[str, Case]:
    """Every operator, at the sizes that a detector has at 640 pixels, or at small ones."""
    from mmcv import ops
    from mmcv.ops.masked_conv import masked_conv2d
    from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction as Attention

    random = torch.Generator().manual_seed(0)
    side, depth, many = (7, 4, 40) if quick else (80, 256, 2000)

    def normal(*shape: int, spread: float = 1.0) -> Tensor:
        return spread * torch.randn(shape, generator=random, dtype=torch.float64)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float64)

    image, weight = normal(2, depth, side, side), normal(depth, depth, 3, 3, spread=0.05)
    offset, mask = _beside(normal(2, 36, side, side, spread=2)), uniform(2, 18, side, side)
    levels = torch.tensor([[side, side], [side // 2, side // 2]])
    starts = torch.tensor([0, side**2])
    value = normal(2, int(levels.prod(1).sum()), 8, 8)
    pixels = _beside((1.4 * uniform(2, many, 8, 2, 4, 2) - 0.2) * levels[:, None])
    places, shares = (pixels + 0.5) / levels[:, None], uniform(2, many, 8, 2, 4)
    # On the grid of an eighth no overlap is nearer to a threshold than 32 bits can tell.
    corner = (8 * (side - 4) * uniform(many, 2)).round() / 8
    boxes = torch.cat([corner, corner + (8 + 80 * uniform(many, 2)).round() / 8], 1)
    scores = uniform(many)
    regions = torch.cat([torch.arange(many)[:, None] % 2, boxes], 1)
    logits, truth = normal(many, depth, spread=2), torch.arange(many) % (depth + 1)
    focal = (2.0, 0.25, None)  # gamma, alpha and no weights; mmcv wants softmax's terms summed up
    return {
        "deform_conv2d": Case(
            lambda *given: ops.deform_conv2d(*given, 1, 1, 1, 1, 1),
            [image, offset[:, :18], weight],
            3,
        ),
        "modulated_deform_conv2d, 2 groups": Case(
            lambda *given: ops.modulated_deform_conv2d(*given, 1, 1, 1, 2, 2),
            [image, offset, mask, weight[:, : depth // 2], normal(depth)],
            5,
        ),
        "multi-scale deformable attention": Case(
            lambda value, where, share, *levels: Attention.apply(value, *levels, where, share, 64),
            [value, places, shares, levels, starts],
            3,
        ),
        "roi_align, average": Case(
            lambda *given: ops.roi_align(*given, 7, 0.5, 0, "avg", True), [image, regions], 1
        ),
        "roi_align, maximum": Case(
            # Of millions of samples some are alike, and another one may be the largest.
            lambda *given: ops.roi_align(*given, 7, 0.5, 2, "max", True),
            [image[:, :8], regions[:100]],
            1,
        ),
        "roi_pool": Case(lambda *given: ops.roi_pool(*given, 7, 0.5), [image, regions], 1),
        "sigmoid_focal_loss": Case(
            lambda *given: ops.sigmoid_focal_loss(*given, *focal, "none"), [logits, truth], 1
        ),
        "softmax_focal_loss": Case(
            lambda *given: ops.softmax_focal_loss(*given, *focal, "sum"),
            [logits, truth.clamp(max=depth - 1)],
            1,
        ),
        "bbox_overlaps": Case(ops.bbox_overlaps, [boxes, boxes.flip(0)]),
        "nms": Case(lambda *given: ops.nms(*given, 0.5), [boxes, scores]),
        "soft_nms": Case(
            # Of more boxes, rounded to 16 bits, two are weakened alike, and either may come first.
            lambda *given: _parted(*ops.soft_nms(*given, 0.3)),
            [boxes[:200], scores[:200]],
        ),
        "nms_match": Case(
            lambda found: ops.nms_match(found, 0.5), [torch.cat([boxes, scores[:, None]], 1)]
        ),
        "masked_conv2d": Case(
            lambda *given: masked_conv2d(*given, 1, 1),
            [image[:1], (mask[:1, 0] > 0.5).long(), weight, normal(depth)],
        ),
    }


def _beside(position: Tensor) -> Tensor:
    """Places near these that are never on a pixel: rounding decides which slope there is on one."""
    return ((64 * position).floor() + 0.5) / 64


def _parted(found: Tensor, kept: Tensor) -> tuple[Tensor, ...]:
    """Boxes and scores apart, as an error is told beside the largest value."""
    return found[:, :4], found[:, 4], kept
