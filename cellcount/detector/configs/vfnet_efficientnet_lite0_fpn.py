# VFNet that a laptop can train: the first four stages of EfficientNet-Lite0, for a cell is small
# and near; 64 instead of 256 channels in the neck and the head, two instead of three stacked
# convolutions, and those separable; 0.4 M instead of 33 M parameters.
custom_imports = dict(
    imports=[
        "cellcount.detector.assigner",
        "cellcount.detector.backbones",
        "cellcount.detector.balance",
        "cellcount.detector.separable",
    ]
)
channels = 64
strides = [8, 16, 32, 64]
separable = dict(type="SeparableConv2d")
# Each output as strong as its inputs, also of the convolutions that see one channel only.
balanced = dict(type="Kaiming", layer="Conv2d", mode="fan_in", nonlinearity="linear")
model = dict(
    type="VFNet",
    backbone=dict(type="EfficientNetLite0", out_indices=(2, 3), init_cfg=dict(type="Wheel")),
    neck=dict(
        type="FPN",
        in_channels=[40, 80],
        out_channels=channels,
        add_extra_convs="on_output",
        num_outs=len(strides),
        relu_before_extra_convs=True,
        conv_cfg=separable,
        init_cfg=balanced,
    ),
    bbox_head=dict(
        type="VFNetHead",
        num_classes=1,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        strides=strides,
        regress_ranges=((-1, 64), (64, 128), (128, 256), (256, 1e8)),
        anchor_generator=dict(
            type="AnchorGenerator",
            ratios=[1.0],
            octave_base_scale=8,
            scales_per_octave=1,
            center_offset=0.0,
            strides=strides,
        ),
        conv_cfg=separable,
        init_cfg=dict(
            **balanced,
            override=[
                dict(type="Normal", name="vfnet_cls", std=0.01, bias_prob=0.01),
                dict(type="Normal", name="vfnet_reg", std=0.01),
                dict(type="Normal", name="vfnet_reg_refine", std=0.01),
            ],
        ),
        loss_cls=dict(
            type="BalancedVarifocalLoss",
            least=0.4,
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
        # A box on another is doubted, not dropped: needles cross, and each is a cell. That holds
        # for boxes of different classes, too: a cell is of one kind.
        nms=dict(type="soft_nms", iou_threshold=0.4, min_score=0.05, class_agnostic=True),
        max_per_img=100,
    ),
)
