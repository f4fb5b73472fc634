"""How IceVision builds mmdet's detectors: weights to start from, the cap on counts, image sizes."""

from functools import wraps
from pathlib import Path
from typing import Any

from icevision_bridge.patches import Mending, patch

# More cells than a photo can show apart; what is cut off beyond it is below any threshold.
_MOST_BOXES = 5000
# A second stage looks at each proposal, which takes a CPU a millisecond.
_MOST_PROPOSALS = 2000
# Candidates a level before suppression: a cell has about ten, and a level of a 1024 px image 16384.
# CornerNet's kin pair the best corners, all with all, YOLACT the best boxes of a class, and draws a
# mask of each: a thousand make a million pairs.
_CANDIDATES = {"nms_pre": 20000, "corner_topk": 1000, "top_k": 1000}


@patch(
    "icevision.models.mmdet.utils",
    library="icevision",
    breaks="counts stop at 100; weights are fetched unchecked; pretrained=False fetches some too",
)
def counts_stop_at_100() -> Mending:
    module = yield
    from mmcv import Config

    def create_model_config(
        backbone: Any,
        pretrained: bool = True,
        checkpoints_path: str | Path | None = "checkpoints",
        force_download: bool = False,
        cfg_options: dict[str, Any] | None = None,
    ) -> tuple[Any, Path | None]:
        weights = None
        if pretrained and backbone.weights_url:
            from icevision_bridge.weights import find_weights

            weights = find_weights(
                backbone.weights_url,
                Path(checkpoints_path or "checkpoints") / backbone.model_name,
                again=force_download,
            )
        cfg = Config.fromfile(backbone.config_path)
        uncap(cfg.model)
        if weights or not pretrained:
            drop_downloads(cfg.model)
        else:
            fetch_backbone(cfg.model.backbone, Path(checkpoints_path or "checkpoints"))
        if cfg_options is not None:
            cfg.merge_from_dict(cfg_options)
        return cfg, weights

    module.create_model_config = create_model_config


def uncap(model: Any) -> None:
    """Raise the number of boxes that a detector's configuration allows on a photo.

    DETR and its kin have as many boxes as queries, Sparse R-CNN as many as proposals: these are
    weights, so they stay; what cuts them further is taken away.
    """
    if "num_query" in model.get("bbox_head", {}):
        model.test_cfg.pop("max_per_img", None)
    _uncap_suppression(model.get("test_cfg"))


def _uncap_suppression(test_cfg: Any, most: int = _MOST_BOXES) -> None:
    if not isinstance(test_cfg, dict):
        return
    if "nms" in test_cfg or "top_k" in test_cfg:
        for key, least in {**_CANDIDATES, "max_per_img": most}.items():
            if key in test_cfg:
                test_cfg[key] = max(test_cfg[key], least)
    for name, part in test_cfg.items():
        _uncap_suppression(part, _MOST_PROPOSALS if name == "rpn" else most)


def fetch_backbone(backbone: Any, folder: Path) -> None:
    """Have the weights that a backbone's configuration names by their address in ``folder``.

    Raises:
        BridgeError: they are not there and cannot be had.
    """
    start = backbone.get("init_cfg") or {}
    if str(start.get("checkpoint", "")).startswith("http"):
        from icevision_bridge.weights import find_weights

        start["checkpoint"] = str(find_weights(start["checkpoint"], folder))


def drop_downloads(model: Any) -> None:
    """Remove from a model's configuration the weights it would load to start with."""
    if isinstance(model, dict):
        model.pop("pretrained", None)
        if isinstance(model.get("init_cfg"), dict) and model["init_cfg"]["type"] in (
            "Pretrained",
            "Wheel",
        ):
            model["init_cfg"] = None
        for part in model.values():
            drop_downloads(part)


@patch(
    "icevision.models.mmdet.common.utils",
    library="icevision",
    breaks="it prints which COCO classes do not fit the user's, which is how fine-tuning begins",
)
def other_classes_are_reported() -> Mending:
    module = yield
    import logging

    load_checkpoint = module.load_checkpoint
    unheard = logging.getLogger("icevision_bridge.unheard")
    unheard.addHandler(logging.NullHandler())
    unheard.propagate = False

    def load_quietly(model: Any, filename: str) -> Any:
        return load_checkpoint(model, filename, map_location="cpu", logger=unheard)

    module.load_checkpoint = load_quietly


@patch(
    "icevision.models.mmdet.common.utils",
    library="icevision",
    breaks="weights lie in an order that costs a CPU, and a GPU with autocast, a third more time",
    until="torch chooses the order itself",
)
def channels_come_first() -> Mending:
    module = yield
    import torch
    from mmdet.models.backbones.hourglass import HourglassNet

    build_model = module.build_model

    @wraps(build_model)
    def build_channels_last(*args: Any, **kwargs: Any) -> Any:
        model = build_model(*args, **kwargs)
        # CornerNet and its kin flatten what they find in the usual order.
        if isinstance(model.backbone, HourglassNet):
            return model
        return model.to(memory_format=torch.channels_last)

    module.build_model = build_channels_last


@patch(
    "icevision.models.mmdet.common.utils",
    library="icevision",
    breaks="images of a size that a detector cannot take fail in the midst of its layers",
)
def sizes_are_not_checked() -> Mending:
    module = yield
    from mmdet.models.backbones.hourglass import HourglassNet
    from mmdet.models.backbones.ssd_vgg import SSDVGG
    from mmdet.models.detectors.yolox import YOLOX

    from icevision_bridge.sizes import watch_size

    build_model = module.build_model

    @wraps(build_model)
    def build_watched(*args: Any, **kwargs: Any) -> Any:
        model = build_model(*args, **kwargs)
        if isinstance(model, YOLOX):
            watch_size(model, "YOLOX", multiple=32)
        elif isinstance(model.backbone, SSDVGG):
            watch_size(model, "SSD", least=260)  # its last layer has no pixel left below
        elif isinstance(model.backbone, HourglassNet):
            watch_size(model, type(model).__name__, least=128)  # so many corners has a picture
        return model

    module.build_model = build_watched
