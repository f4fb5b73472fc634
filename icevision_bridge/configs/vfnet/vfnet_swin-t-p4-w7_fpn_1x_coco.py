# VFNet on Swin-T (Liu et al. 2021): mmdet's VFNet with the backbone of mmdet's published RetinaNet
# on Swin-T. The three last stages have strides 8, 16 and 32, as the head expects.
import mmdet

_base_ = [f"{mmdet.__path__[0]}/.mim/configs/vfnet/vfnet_r50_fpn_1x_coco.py"]
model = dict(
    backbone=dict(
        _delete_=True,
        type="SwinTransformer",
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.2,
        out_indices=(1, 2, 3),
        convert_weights=True,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    ),
    neck=dict(in_channels=[192, 384, 768], start_level=0),
)
