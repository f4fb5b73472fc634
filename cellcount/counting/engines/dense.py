"""mmdet's detectors with a dense head (VFNet, RetinaNet, FCOS, ...) as one torch network.

From the pixels of a frame to every level's scores and decoded boxes, without a decision on the way:
what ``BaseDenseHead.get_bboxes`` does before it begins to choose.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import deform_conv2d

from cellcount.counting.decoding import Recipe

# IceVision hands mmdet's models BGR images, normalised by ImageNet's mean and deviation.
_MEAN = (0.406, 0.456, 0.485)
_DEVIATION = (0.225, 0.224, 0.229)
_COUNTING = (  # parts of the meta
    "threshold",
    "calibration",
    "by_class",
    "usual",
    "tile",
    "view",
    "cell_side",
)


class DenseNetwork(nn.Module):
    """Pixels (1, H, W, 3), uint8, RGB, to the outputs that ``counting.decoding`` takes."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector: Any = detector
        self.levels: list[int] = []  # boxes of each level, once it has run
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255 * torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Scores (boxes, classes), boxes (boxes, 4), and factors (boxes,) if the head has any."""
        image = (pixels.permute(0, 3, 1, 2).flip(1).float() - self.mean) / self.deviation
        head = self.detector.bbox_head
        outputs = head(self.detector.extract_feat(image))
        priors = head.prior_generator.grid_priors(
            [level.shape[-2:] for level in outputs[0]], device=pixels.device
        )
        self.levels = [len(level) for level in priors]
        classes = [_rows(level, head.cls_out_channels) for level in outputs[0]]
        scores = torch.cat(classes)
        scores = scores.sigmoid() if head.use_sigmoid_cls else scores.softmax(-1)[:, :-1]
        boxes = [
            head.bbox_coder.decode(prior, _rows(level, 4), max_shape=tuple(pixels.shape[1:3]))
            for prior, level in zip(priors, outputs[1], strict=True)
        ]
        if len(outputs) == 2:
            return scores, torch.cat(boxes)
        factors = torch.cat([_rows(level, 1) for level in outputs[2]])
        return scores, torch.cat(boxes), factors.sigmoid()[:, 0]


def _rows(level: Tensor, values: int) -> Tensor:
    """(1, priors * values, H, W) as (H * W * priors, values)."""
    return level[0].permute(1, 2, 0).reshape(-1, values)


def network(loaded: dict[str, Any]) -> DenseNetwork | None:
    """The network of what ``model_from_checkpoint`` returned; None if it has no such head."""
    if not loaded["checkpoint"]["meta"].get("model_name", "").startswith("mmdet."):
        return None
    from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
    from mmdet.models.detectors import SingleStageDetector

    head = type(getattr(loaded["model"], "bbox_head", None))
    usual = issubclass(head, BaseDenseHead) and all(
        getattr(head, step) is getattr(BaseDenseHead, step)
        for step in ("get_bboxes", "_get_bboxes_single", "_bbox_post_process", "simple_test")
    )
    detector = loaded["model"]
    if not usual or type(detector).simple_test is not SingleStageDetector.simple_test:
        return None
    return DenseNetwork(detector).eval()


def recipe(built: DenseNetwork, loaded: dict[str, Any]) -> Recipe:
    """What belongs to a network, which has run, besides itself."""
    meta, test = loaded["checkpoint"]["meta"], built.detector.bbox_head.test_cfg
    size = loaded["img_size"]
    return Recipe(
        classes=[str(name) for name in loaded["class_map"].get_classes()[1:]],
        img_size=size if isinstance(size, int) else tuple(size),
        levels=built.levels,
        test={
            "score_thr": float(test["score_thr"]),
            "nms_pre": int(test["nms_pre"]),
            "nms": dict(test["nms"]),
            "max_per_img": int(test["max_per_img"]),
        },
        meta={name: meta[name] for name in _COUNTING if name in meta},
    )


def fuse(module: nn.Module) -> None:
    """Put each batch norm that follows a convolution into its weights."""
    convolution: tuple[str, nn.Conv2d] | None = None
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d) and convolution is not None:
            setattr(module, convolution[0], fuse_conv_bn_eval(convolution[1], child))
            # timm's batch norms carry the activation that follows them.
            setattr(module, name, getattr(child, "act", nn.Identity()))
            convolution = None
        elif isinstance(child, nn.Conv2d):
            convolution = name, child
        else:
            fuse(child)
            convolution = None


@contextmanager
def exportable() -> Iterator[None]:
    """Put for a while in the place of what exporters do not know, or know as many small steps.

    mmcv's deformable convolutions are torchvision's then, and VFNet's star is stacked.
    """
    from mmcv.ops import deform_conv, modulated_deform_conv
    from mmdet.models.dense_heads import VFNetHead

    ways = (
        (deform_conv, "deform_conv2d", _deform),
        (modulated_deform_conv, "modulated_deform_conv2d", _deform_modulated),
        (VFNetHead, "star_dcn_offset", _star),
    )
    before = [getattr(home, name) for home, name, _ in ways]
    for home, name, way in ways:
        setattr(home, name, way)
    try:
        yield
    finally:
        for (home, name, _), way in zip(ways, before, strict=True):
            setattr(home, name, way)


def _deform(input: Tensor, offset: Tensor, weight: Tensor, *geometry: Any) -> Tensor:
    return deform_conv2d(input, offset, weight, None, *geometry[:3])


def _deform_modulated(input: Tensor, offset: Tensor, mask: Tensor, *rest: Any) -> Tensor:
    weight, bias, *geometry = rest
    return deform_conv2d(input, offset, weight, bias, *geometry[:3], mask)


def _star(head: Any, distances: Tensor, _: float, stride: int) -> Tensor:
    """Where VFNet samples around a point: its box's corners, sides and centre, y before x."""
    left, up, right, down = (distances / stride).unbind(1)
    none = torch.zeros_like(left)
    ys = [-up, -up, -up, none, none, none, down, down, down]
    xs = [-left, none, right] * 3
    points = [axis for point in zip(ys, xs, strict=True) for axis in point]
    return torch.stack(points, 1) - head.dcn_base_offset.type_as(distances)
