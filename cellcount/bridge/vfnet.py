"""VFNet and its relatives in IceVision: the laptop backbone, weights, and the cap on counts."""

from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from cellcount.bridge.spans import loaded, span

UNTIL = "IceVision is released again"
_CONFIGS = Path(__file__).parent / "configs"
# More cells than a photo can show apart; what mmdet cuts off beyond it is below any threshold.
_MOST_BOXES = 5000
# Candidates a level before suppression: a cell has about ten, and a level of a 1024 px image 16384.
_MOST_CANDIDATES = 20000


@span(
    "icevision.models.mmdet.models.vfnet.backbones",
    library="icevision",
    breaks="one backbone's configuration is misspelt, and there is none for a laptop",
    until="never: it adds efficientnet_lite0_fpn",
)
def laptop_backbone() -> Iterator[None]:
    yield
    backbones = loaded("icevision.models.mmdet.models.vfnet.backbones")
    resnet = loaded(f"{backbones.__name__}.resnet_fpn")
    misspelt = resnet.resnet50_fpn_mdconv_c3_c5_mstrain_2x
    misspelt.config_path = misspelt.config_path.with_name(
        "vfnet_r50_fpn_mdconv_c3-c5_mstrain_2x_coco.py"
    )
    backbones.efficientnet_lite0_fpn = resnet.MMDetVFNETBackboneConfig(
        config_path=_CONFIGS / "vfnet" / "vfnet_efficientnet_lite0_fpn.py", weights_url=None
    )


@span(
    "icevision.models.mmdet.utils",
    library="icevision",
    breaks="counts stop at 100; weights are fetched unchecked; pretrained=False fetches some too",
    until=UNTIL,
)
def counts_stop_at_100() -> Iterator[None]:
    yield
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
            from cellcount.weights import find_weights

            weights = find_weights(
                backbone.weights_url,
                Path(checkpoints_path or "checkpoints") / backbone.model_name,
                again=force_download,
            )
        cfg = Config.fromfile(backbone.config_path)
        uncap(cfg.model.get("test_cfg"))
        if weights or not pretrained:
            drop_downloads(cfg.model)
        if cfg_options is not None:
            cfg.merge_from_dict(cfg_options)
        return cfg, weights

    loaded("icevision.models.mmdet.utils").create_model_config = create_model_config


def uncap(test_cfg: Any) -> None:
    """Raise the number of boxes a photo may have, wherever ``test_cfg`` suppresses duplicates.

    Detectors without suppression (DETR and its kin) have as many boxes as they have queries.
    """
    if not isinstance(test_cfg, dict):
        return
    if "nms" in test_cfg:
        for key, most in (("max_per_img", _MOST_BOXES), ("nms_pre", _MOST_CANDIDATES)):
            if key in test_cfg:
                test_cfg[key] = max(test_cfg[key], most)
    for part in test_cfg.values():
        uncap(part)


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


@span(
    "icevision.models.mmdet.common.utils",
    library="icevision",
    breaks="it prints which COCO classes do not fit the user's, which is how fine-tuning begins",
    until=UNTIL,
)
def other_classes_are_reported() -> Iterator[None]:
    yield
    import logging

    module = loaded("icevision.models.mmdet.common.utils")
    load_checkpoint = module.load_checkpoint
    unheard = logging.getLogger("cellcount.unheard")
    unheard.addHandler(logging.NullHandler())
    unheard.propagate = False

    def load_quietly(model: Any, filename: str) -> Any:
        return load_checkpoint(model, filename, map_location="cpu", logger=unheard)

    module.load_checkpoint = load_quietly


@span(
    "icevision.models.mmdet.common.utils",
    library="icevision",
    breaks="weights lie in an order that costs a CPU, and a GPU with autocast, a third more time",
    until="torch chooses the order itself",
)
def channels_come_first() -> Iterator[None]:
    yield
    import torch

    module = loaded("icevision.models.mmdet.common.utils")
    build_model = module.build_model

    @wraps(build_model)
    def build_channels_last(*args: Any, **kwargs: Any) -> Any:
        return build_model(*args, **kwargs).to(memory_format=torch.channels_last)

    module.build_model = build_channels_last
