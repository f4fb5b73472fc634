"""How a laptop trains on photos of needles: varied without spoiling a box, from rendered photos on.

A box stands upright. Around a needle that lies askew it is mostly empty, so turning needle and box
by any angle but a quarter leaves a box that is too wide for the needle: a detector that learns from
such boxes draws them, and misses every needle that lies straight. Photos are therefore flipped and
turned by quarters only; that is exact, and gives each needle eight directions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellcount.calibration.intervals import calibrate
from cellcount.detector.bridging import apply_bridge
from cellcount.detector.provenance import checkpoint_meta

SIZE = 768  # pixels of the longest side: below, a needle falls between the points that look for it
EPOCHS = 20
RATE = 2e-3
LEAST_SCORE = 0.05  # the detector keeps no box below, neither in calibrating nor in counting


def transforms(size: int = SIZE) -> tuple[Any, Any]:
    """What is done to photos for training, and for all else: resizing, padding, normalising.

    Args:
        size: pixels a side of what the detector sees.
    """
    apply_bridge()
    from icevision import tfms

    move = tfms.A.ShiftScaleRotate(
        rotate_limit=0, scale_limit=0.2, border_mode=0, value=[124, 116, 104]
    )
    varied = tfms.A.aug_tfms(size=size, presize=size + 128, shift_scale_rotate=move)
    return (
        tfms.A.Adapter([tfms.A.RandomRotate90(), *varied, tfms.A.Normalize()]),
        tfms.A.Adapter([*tfms.A.resize_and_pad(size), tfms.A.Normalize()]),
    )


def learner(model: Any, learned: Any, held_out: Any, size: int = SIZE) -> Any:
    """fastai's learner for VFNet on records, one photo a step.

    Args:
        model: a VFNet of IceVision's.
        learned: records to train on.
        held_out: records to compute the losses of each epoch on.
        size: pixels a side.
    """
    import icevision.all as ice

    vfnet = ice.models.mmdet.vfnet
    varied, plain = transforms(size)
    dls = [
        vfnet.train_dl(ice.Dataset(learned, varied), batch_size=1, shuffle=True),
        vfnet.valid_dl(ice.Dataset(held_out, plain), batch_size=1, shuffle=False),
    ]
    return vfnet.fastai.learner(dls=dls, model=model)


def laptop_model(classes: int, pretrained: bool = True) -> Any:
    """VFNet on ``efficientnet_lite0_fpn``.

    Args:
        classes: number of classes, the background among them.
        pretrained: whether the backbone has its ImageNet weights.
    """
    apply_bridge()
    from icevision import models

    vfnet = models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=pretrained)
    return vfnet.model(backbone=backbone, num_classes=classes)


def predict(model: Any, records: Any, size: int = SIZE) -> Sequence[Any]:
    """IceVision's predictions for records, with every box the detector keeps."""
    import icevision.all as ice

    vfnet = ice.models.mmdet.vfnet
    dataset = ice.Dataset(records, transforms(size)[1])
    return vfnet.predict_from_dl(
        model,
        vfnet.infer_dl(dataset, batch_size=1),
        show_pbar=False,
        detection_threshold=LEAST_SCORE,
    )


def save(model: Any, class_map: Any, held_out: Any, out: str | Path, size: int = SIZE) -> None:
    """Write the checkpoint of a laptop model, with what it takes to count with it.

    Args:
        model: from :func:`laptop_model`, trained.
        class_map: of its records.
        held_out: records that it has not been trained on; the calibration learns from them.
        out: the file.
        size: pixels a side that it was trained at.
    """
    from icevision.models.checkpoint import save_icevision_checkpoint

    save_icevision_checkpoint(
        model,
        model_name="mmdet.vfnet",
        backbone_name="efficientnet_lite0_fpn",
        classes=class_map.get_classes(),
        img_size=size,
        filename=str(out),
        meta=checkpoint_meta(calibrate(predict(model, held_out, size))),
    )


def seed_everything(seed: int) -> None:
    """Start the random numbers of Python, NumPy and torch from ``seed``."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
