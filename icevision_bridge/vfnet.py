"""VFNet in IceVision: a misspelt backbone, and the Swin backbones whose recipes are in no wheel."""

import logging
from collections.abc import Iterator
from pathlib import Path

from icevision_bridge.patches import loaded, patch

UNTIL = "IceVision is released again"
_CONFIGS = Path(__file__).parent / "configs"


@patch(
    "icevision.models.mmdet.models.vfnet.backbones",
    library="icevision",
    breaks="one backbone's configuration is misspelt",
    until=UNTIL,
)
def backbone_is_misspelt() -> Iterator[None]:
    yield
    backbones = loaded("icevision.models.mmdet.models.vfnet.backbones")
    misspelt = loaded(f"{backbones.__name__}.resnet_fpn").resnet50_fpn_mdconv_c3_c5_mstrain_2x
    misspelt.config_path = misspelt.config_path.with_name(
        "vfnet_r50_fpn_mdconv_c3-c5_mstrain_2x_coco.py"
    )


def _swin(family: str) -> None:
    @patch(
        f"icevision.models.mmdet.models.{family}.backbones.swin",
        library="icevision",
        breaks="the recipes of the Swin backbones are in no wheel",
        until=UNTIL,
    )
    def swin_has_no_recipe() -> Iterator[None]:
        yield
        swin = loaded(f"icevision.models.mmdet.models.{family}.backbones.swin")
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
    versions="<3",
    breaks="it warns that training starts from scratch while a checkpoint is being loaded",
    until="IceVision runs on mmdet 3",
)
def swin_speaks_of_scratch() -> Iterator[None]:
    yield
    logging.getLogger("mmdet").addFilter(
        lambda record: "training start from scratch" not in record.getMessage()
    )
