"""The plain route: IceVision, bridged so that it runs, without what this project does for speed."""

from collections.abc import Callable
from typing import Any

# Files of the bridge that only save time: without one, things go as IceVision has them.
KEPT_PHOTOS = "data"
LOADED_LATER = "lazy_modules"


def leave_out(*files: str) -> None:
    """Apply the bridge without some of its files, those in it that only save time.

    Raises:
        ValueError: there is no such file.
        CellCountError: IceVision is loaded already.
    """
    import icevision_bridge
    from cellcount.detector.bridging import apply_bridge

    if unknown := set(files) - set(icevision_bridge._FILES):
        raise ValueError(f"the bridge has no {', '.join(sorted(unknown))}")
    icevision_bridge._FILES = tuple(name for name in icevision_bridge._FILES if name not in files)
    apply_bridge()


def take_plain_route() -> None:
    """Let IceVision read photos in its own way, and torchvision compute deformable convolutions."""
    leave_out(KEPT_PHOTOS)
    from icevision_bridge.ops import deform, deform_torchvision

    deform._way = lambda device: deform_torchvision


def walkthrough_model(size: int) -> Callable[[str], int]:
    """The walkthrough's VFNet on ResNet-50 with random weights, and its way to count, ready.

    Args:
        size: pixels of the photo's longest side that the detector sees.

    Returns:
        A function that opens a photo and returns the number of cells found.
    """
    take_plain_route()
    import icevision.all as ice

    vfnet = ice.models.mmdet.vfnet
    backbone = vfnet.backbones.resnet50_fpn_mstrain_2x(pretrained=False)
    return _end_to_end(
        {
            "model": vfnet.model(backbone=backbone, num_classes=2),
            "model_type": vfnet,
            "class_map": ice.ClassMap(["cell"]),
            "img_size": size,
        },
        threshold=0.5,
    )


def count_once(checkpoint: str, photo: str) -> int:
    """Count one photo as the walkthrough does, from a start of Python on."""
    leave_out(KEPT_PHOTOS, LOADED_LATER)
    from icevision.models.checkpoint import model_from_checkpoint

    loaded = model_from_checkpoint(checkpoint)
    return _end_to_end(loaded, loaded["checkpoint"]["meta"]["threshold"])(photo)


def _end_to_end(loaded: dict[str, Any], threshold: float) -> Callable[[str], int]:
    """The walkthrough's lines on a photo, with what ``model_from_checkpoint`` gives."""
    import icevision.all as ice
    import PIL.Image

    loaded["model"].eval()
    size = ice.tfms.A.resize_and_pad(loaded["img_size"])
    infer_tfms = ice.tfms.A.Adapter([*size, ice.tfms.A.Normalize()])

    def count(photo: str) -> int:
        found = loaded["model_type"].end2end_detect(
            PIL.Image.open(photo),
            infer_tfms,
            loaded["model"],
            class_map=loaded["class_map"],
            detection_threshold=threshold,
        )
        return len(found["detection"]["bboxes"])

    return count
