# VFNet that a laptop can train: EfficientNet-Lite0, 96 instead of 256 channels in the neck and
# the head, two instead of three stacked convolutions; 4 M instead of 33 M parameters.
custom_imports = dict(imports=["cellcount.assigner", "cellcount.backbones"])
channels = 96
model = dict(
    type="VFNet",
    backbone=dict(type="EfficientNetLite0", init_cfg=dict(type="Wheel")),
    neck=dict(
        type="FPN",
        in_channels=[40, 112, 320],
        out_channels=channels,
        add_extra_convs="on_output",
        num_outs=5,
        relu_before_extra_convs=True,
    ),
    bbox_head=dict(
        type="VFNetHead",
        num_classes=1,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        strides=[8, 16, 32, 64, 128],
        loss_cls=dict(
            type="VarifocalLoss",
            use_sigmoid=True,
            alpha=0.75,
            gamma=2.0,
            iou_weighted=True,
            loss_weight=1.0,
        ),
        loss_bbox=dict(type="GIoULoss", loss_weight=1.5),
        loss_bbox_refine=dict(type="GIoULoss", loss_weight=2.0),
    ),
    train_cfg=dict(
        # Points lie 8 pixels apart; a box of 12 holds one wherever it lies.
        assigner=dict(type="ThinATSSAssigner", topk=9, least=12),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        # A box on another is doubted, not dropped: needles cross, and each is a cell.
        nms=dict(type="soft_nms", iou_threshold=0.5, min_score=0.05),
        max_per_img=100,
    ),
)
