"""What made a checkpoint: kept in its meta, so that a count can be traced years later."""

from datetime import datetime, timezone
from importlib.metadata import version


def provenance() -> dict[str, str]:
    """The time (UTC) and the versions of the libraries that decide what a model computes."""
    libraries = ("icevision", "mmdet", "mmcv", "torch", "torchvision", "fastai", "albumentations")
    return {
        "saved": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **{f"{library}_version": version(library) for library in libraries},
    }
