"""VFNet in IceVision: a misspelt backbone, and the Swin backbones whose recipes are in no wheel."""

import logging
from pathlib import Path

from icevision_bridge.patches import Mending, loaded, patch

_CONFIGS = Path(__file__).parent / "configs"


@patch(
    "icevision.models.mmdet.models.vfnet.backbones",
    library="icevision",
    breaks="one backbone's configuration is misspelt",
)
def backbone_is_misspelt() -> Mending:
    backbones = yield
    misspelt = loaded(f"{backbones.__name__}.resnet_fpn").resnet50_fpn_mdconv_c3_c5_mstrain_2x
    misspelt.config_path = misspelt.config_path.with_name(
        "vfnet_r50_fpn_mdconv_c3-c5_mstrain_2x_coco.py"
    )


def _swin(family: str) -> None:
    @patch(
        f"icevision.models.mmdet.models.{family}.backbones.swin",
        library="icevision",
        breaks="the recipes of the Swin backbones are in no wheel",
    )
    def swin_has_no_recipe() -> Mending:
        swin = yield
        shipped = swin.mmdet_configs_path / "swin"
        for name in swin.__all__:
            backbone = getattr(swin, name)
            recipe = backbone.config_path.name
            folder = shipped if (shipped / recipe).is_file() else _CONFIGS / family
            backbone.config_path = folder / recipe


_swin("vfnet")
_swin("retinanet")


@patch(
    "mmdet.models.backbones.swin",
    library="mmdet",
    breaks="it warns that training starts from scratch while a checkpoint is being loaded",
)
def swin_speaks_of_scratch() -> Mending:
    yield
    logging.getLogger("mmdet").addFilter(
        lambda record: "training start from scratch" not in record.getMessage()
    )
