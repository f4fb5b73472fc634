# Swin-B is Swin-S with a third more channels.
_base_ = ["retinanet_swin-s-p4-w7_fpn_1x_coco.py"]
model = dict(
    backbone=dict(
        embed_dims=128,
        num_heads=[4, 8, 16, 32],
        init_cfg=dict(
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_base_patch4_window7_224.pth",
        ),
    ),
    neck=dict(in_channels=[256, 512, 1024]),
)
