# RetinaNet on Swin-S: mmdet's RetinaNet on Swin-T with a longer third stage.
import mmdet

_base_ = [f"{mmdet.__path__[0]}/.mim/configs/swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py"]
model = dict(
    backbone=dict(
        depths=[2, 2, 18, 2],
        init_cfg=dict(
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_small_patch4_window7_224.pth",
        ),
    )
)
