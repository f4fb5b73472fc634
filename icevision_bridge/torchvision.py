"""IceVision's torchvision detectors: how weights are asked for, and the cap on counts."""

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any
from unittest import mock

from icevision_bridge.patches import Mending, overlay, patch

_BACKBONES = {
    "mobilenet": ("mobilenet_v2",),
    "resnet": ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext101_32x8d"),
    "vgg": ("vgg11", "vgg13", "vgg16", "vgg19"),
}
_DETECTORS = {
    "faster_rcnn": "fasterrcnn_resnet50_fpn",
    "mask_rcnn": "maskrcnn_resnet50_fpn",
    "keypoint_rcnn": "keypointrcnn_resnet50_fpn",
    "retinanet": "retinanet_resnet50_fpn",
}
# More cells than a photo can show apart, and more candidates a level than those cells have.
_MOST_BOXES, _MOST_CANDIDATES = 5000, 20000
# A second stage looks at each proposal, which takes a CPU a millisecond.
_MOST_PROPOSALS = 2000
_RCNN_CAPS = {
    "box_detections_per_img": _MOST_BOXES,
    "rpn_pre_nms_top_n_test": _MOST_BOXES,
    "rpn_post_nms_top_n_test": _MOST_PROPOSALS,
}
_RETINANET_CAPS = {"detections_per_img": _MOST_BOXES, "topk_candidates": _MOST_CANDIDATES}


def _by_flag(build: Callable[..., Any], data: str = "IMAGENET1K_V1") -> Callable[..., Any]:
    """Give a builder of torchvision back the flag ``pretrained`` that it had until 0.12.

    ``data`` names the weights that the flag stands for, as torchvision's enumerations do.
    """

    @wraps(build)
    def build_by_flag(*args: Any, pretrained: bool = False, **kwargs: Any) -> Any:
        from torchvision.models import _api

        # A whole detector's weights include its backbone's.
        if kwargs.pop("pretrained_backbone", False) and not pretrained:
            kwargs["weights_backbone"] = "IMAGENET1K_V1"
        with mock.patch.object(_api, "load_state_dict_from_url", _load_checked):
            return build(*args, weights=data if pretrained else None, **kwargs)

    return build_by_flag


def _load_checked(url: str, *_args: Any, **_kwargs: Any) -> Any:
    """The weights at ``url``, from the folder in which torch.hub keeps them, fetched if need be."""
    import torch

    from icevision_bridge.mmcv import load_weights
    from icevision_bridge.weights import find_weights

    return load_weights(find_weights(url, Path(torch.hub.get_dir()) / "checkpoints"))


def _asking(module: str, replace: Callable[[Any], None]) -> None:
    @patch(
        module,
        library="icevision",
        breaks="it asks torchvision for weights by a flag that is deprecated since 0.13, which "
        "warns; they are fetched unchecked and loaded as pickles",
    )
    def weights_are_asked_for_by_a_flag() -> Mending:
        replace((yield))


def _replace_in_torchvision(*builders: str) -> Callable[[Any], None]:
    def replace(module: Any) -> None:
        import torchvision

        mended = {name: _by_flag(getattr(torchvision.models, name)) for name in builders}
        module.torchvision = overlay(torchvision, models=overlay(torchvision.models, **mended))

    return replace


def _replace(builder: str, *data: str) -> Callable[[Any], None]:
    return lambda module: setattr(module, builder, _by_flag(getattr(module, builder), *data))


for _module, _builders in _BACKBONES.items():
    _asking(f"icevision.backbones.{_module}", _replace_in_torchvision(*_builders))
_asking("icevision.backbones.resnet_fpn", _replace("resnet_fpn_backbone"))
for _family, _builder in _DETECTORS.items():
    _asking(f"icevision.models.torchvision.{_family}.model", _replace(_builder, "COCO_V1"))


def _uncapped(family: str) -> None:
    name = f"icevision.models.torchvision.{family}.model"

    @patch(
        name,
        library="icevision",
        breaks="counts stop at 100, RetinaNet's at 300; backbones without a feature pyramid want "
        "anchors of their own",
    )
    def counts_stop_at_100() -> Mending:
        module = yield
        build = module.model
        caps = _RETINANET_CAPS if family == "retinanet" else _RCNN_CAPS

        @wraps(build)
        def build_uncapped(*args: Any, **kwargs: Any) -> Any:
            backbone = signature(build).bind(*args, **kwargs).arguments.get("backbone")
            if backbone is not None and not hasattr(backbone.backbone, "fpn"):
                kwargs.setdefault("rpn_anchor_generator", _one_level_of_anchors())
            return build(*args, **{**caps, **kwargs})

        module.model = build_uncapped


def _one_level_of_anchors() -> Any:
    """Anchors of the sizes that a feature pyramid has on its five levels, all on one level."""
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    return AnchorGenerator(sizes=((32, 64, 128, 256, 512),), aspect_ratios=((0.5, 1.0, 2.0),))


def _unshared(module: str) -> None:
    @patch(
        module,
        library="icevision",
        breaks="models built from one backbone, and all RetinaNets of a process, share weights: "
        "training or loading one changes the other",
    )
    def models_share_weights() -> Mending:
        family = yield
        build = family.model

        @wraps(build)
        def build_apart(*args: Any, **kwargs: Any) -> Any:
            call = signature(build).bind(*args, **kwargs)
            call.arguments["backbone"] = deepcopy(call.arguments.get("backbone"))
            return build(*call.args, **call.kwargs)

        family.model = build_apart


for _family in _DETECTORS:
    _uncapped(_family)
    _unshared(f"icevision.models.torchvision.{_family}.model")
_unshared("icevision.models.fastai.unet.model")
