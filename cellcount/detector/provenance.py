"""What a checkpoint says about itself: how to count with it, and what made it."""

from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from cellcount.calibration.intervals import Calibration


def checkpoint_meta(calibration: Calibration | None) -> dict[str, Any]:
    """The meta of a checkpoint: :func:`provenance`, and what it has learned about counting."""
    if calibration is None:
        return dict(provenance())
    learned = {"threshold": calibration.threshold, "calibration": calibration.to_meta()}
    return {**provenance(), **learned}


def provenance() -> dict[str, str]:
    """The time (UTC) and the versions of the libraries that decide what a model computes."""
    libraries = ("icevision", "mmdet", "mmcv", "torch", "torchvision", "fastai", "albumentations")
    return {
        "saved": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **{f"{library}_version": version(library) for library in libraries},
    }
