"""A few training steps of a detector of every family, in 32 and in 16 bits."""

import gc
import math

import torch

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page, told
from cellcount.detector import zoo

# A small one of each family, and a size that it takes where that is not the usual one.
SMALL = {
    ("mmdet.vfnet", "efficientnet_lite0_fpn"): None,
    ("mmdet.retinanet", "resnet50_fpn_1x"): None,
    ("mmdet.faster_rcnn", "resnet50_fpn_1x"): None,
    ("mmdet.fcos", "resnet50_caffe_fpn_gn_head"): None,
    ("mmdet.fsaf", "r50_fpn_1x_coco"): None,
    ("mmdet.sabl", "r50_fpn_1x_coco"): None,
    ("mmdet.sparse_rcnn", "resnet50_fpn_1x"): None,
    ("mmdet.yolox", "yolox_tiny_8x8"): None,
    ("mmdet.yolof", "yolof_r50_c5_8x8_1x_coco"): None,
    ("mmdet.ssd", "ssd300"): 320,
    ("mmdet.detr", "r50_8x2_150e_coco"): None,
    ("mmdet.deformable_detr", "r50_16x2_50e_coco"): None,
    ("mmdet.cornernet", "hourglass104_mstest_8x6_210e_coco"): None,
    ("mmdet.centripetalnet", "hourglass104_mstest_16x6_210e_coco"): None,
    ("torchvision.faster_rcnn", "resnet18_fpn"): None,
    ("torchvision.retinanet", "resnet18_fpn"): None,
    ("ross.efficientdet", "tf_lite0"): None,
    ("ultralytics.yolov5", "small"): None,
}
# Where deformable convolutions, or what a transformer asks for, come in besides.
MORE = {
    ("mmdet.vfnet", "resnet50_fpn_mstrain_2x"): None,
    ("mmdet.vfnet", "resnet50_fpn_mdconv_c3_c5_mstrain_2x"): None,
    ("mmdet.vfnet", "swin_t_p4_w7_fpn_1x_coco"): None,
}
_HEADS = ("detector", "on", "bits", "s a step of 2", "loss", "steps taken", "peak, MB", "")


def measure(page: Page, meter: Meter) -> None:
    """Train each; the loss must be a number, and every group of weights get a gradient."""
    usual, steps = (128, 2) if meter.quick else (640, 8)
    page.section(f"A training step of every family, 2 photos of {usual} px", _HEADS)
    for (family, backbone), size in {**MORE, **SMALL}.items():
        name = f"{family} {backbone}" + (f", {size} px" if size else "")
        entry = zoo.Entry(family, backbone)
        for bits in (32, 16):
            page.row(name, meter.name, bits, *_row(entry, size or usual, steps, bits, meter))


def _row(entry: zoo.Entry, size: int, steps: int, bits: int, meter: Meter) -> tuple[object, ...]:
    torch.manual_seed(0)  # untrained, a layer of rectifiers may die by chance
    meter.forget()
    try:
        trial = zoo.attempt(entry, size, steps=steps, half=bits == 16, device=meter.device)
    except Exception as error:  # the other families are worth knowing all the same
        return "", "", "", "", f"**{told(error)}**"
    finally:
        gc.collect()  # learner and model hold each other
    wrong = []
    if not math.isfinite(trial.loss):
        wrong.append("the loss is no number")
    if not trial.taken:
        wrong.append("no step was taken")
    if trial.unreached:
        wrong.append(f"no gradient in groups {trial.unreached}")
    verdict = f"**{', '.join(wrong)}**" if wrong else "ok"
    return trial.step_seconds, trial.loss, f"{trial.taken} of {steps}", meter.peak, verdict
