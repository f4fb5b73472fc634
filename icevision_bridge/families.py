"""What single families of mmdet's detectors lack in IceVision."""

from icevision_bridge.patches import Mending, patch


@patch(
    "icevision.models.mmdet.common.bbox.dataloaders",
    library="icevision",
    breaks="Sparse R-CNN is not told the photo's shape, which it asks for when it predicts",
)
def shape_is_not_told() -> Mending:
    module = yield
    img_meta = module._img_meta
    module._img_meta = lambda record: {**img_meta(record), "ori_shape": record.img.shape}


@patch(
    "icevision.models.mmdet.utils",
    library="icevision",
    breaks="SSDLite cannot be trained: its MobileNetV2 names its layers unlike a ResNet",
)
def mobilenet_has_other_names() -> Mending:
    yield
    from mmdet.models.backbones.mobilenet_v2 import MobileNetV2
    from torch import nn

    # The first batch norm lies within ``conv1`` already.
    MobileNetV2.bn1 = property(lambda self: nn.Identity())
    MobileNetV2.res_layers = property(lambda self: self.layers)


@patch(
    "icevision.models.mmdet.models.deformable_detr.backbones.resnet_fpn",
    library="icevision",
    breaks="the name refine_r50_16x2_50e_coco gives the two-stage model",
)
def refining_is_two_stage() -> Mending:
    module = yield
    name = "deformable_detr_refine_r50_16x2_50e_coco"
    module.refine_r50_16x2_50e_coco = module.MMDetDeformableDetrBackboneConfig(
        config_path=module.base_config_path / f"{name}.py",
        weights_url=f"{module.base_weights_url}/{name}/{name}_20210419_220503-5f5dff21.pth",
    )


@patch(
    "icevision.models.mmdet.models.cornernet",
    library="icevision",
    breaks="CornerNet has no backbone, though mmdet's recipe for one is there",
)
def cornernet_has_no_backbone() -> Mending:
    module = yield
    from types import SimpleNamespace

    from icevision.models.mmdet.utils import MMDetBackboneConfig, mmdet_configs_path

    name = "cornernet_hourglass104_mstest_8x6_210e_coco"
    hourglass = MMDetBackboneConfig(
        model_name="cornernet",
        config_path=mmdet_configs_path / "cornernet" / f"{name}.py",
        weights_url="https://download.openmmlab.com/mmdetection/v2.0/cornernet/"
        f"{name}/{name}_20200825_150618-79b44c30.pth",
    )
    module.backbones = SimpleNamespace(hourglass104_mstest_8x6_210e_coco=hourglass)
