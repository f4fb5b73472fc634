"""What a checkpoint says about itself: how to count with it, and what made it."""

from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.usual import Usual
from cellcount.photos.view import View


def checkpoint_meta(
    calibration: Calibration | None,
    tile: int | None = None,
    by_class: Mapping[str, Calibration] | None = None,
    usual: Usual | None = None,
    cell_side: int | None = None,
) -> dict[str, Any]:
    """The meta of a checkpoint: :func:`provenance`, and what it has learned about counting.

    A calibration that does not explain its own photos is left out: boxes are counted then, above
    the threshold that fits them best, and there is no interval.

    Args:
        calibration: None if the detector has found nothing yet.
        tile: pixels a side of the tiles in which larger photos are to be counted.
        by_class: the calibration of each class that has one of its own.
        usual: what the photos are like that it has learned from.
        cell_side: pixels a side at which it is to be shown cells, if it was trained for that.
    """
    meta: dict[str, Any] = dict(provenance())
    if tile is not None:
        meta["tile"] = tile
    if cell_side is not None:
        meta["cell_side"] = cell_side
    if view := View.chosen().to_meta():
        meta["view"] = view
    if calibration is None:
        return meta
    if not calibration.explains:
        return {**meta, "threshold": calibration.threshold_f1}
    if usual is not None:
        meta["usual"] = usual.to_meta()
    classes = {name: own.to_meta() for name, own in (by_class or {}).items()}
    if classes:
        meta["by_class"] = classes
    return {**meta, "threshold": calibration.threshold, "calibration": calibration.to_meta()}


def provenance() -> dict[str, str]:
    """The time (UTC) and the versions of the libraries that decide what a model computes."""
    libraries = ("icevision", "mmdet", "mmcv", "torch", "torchvision", "fastai", "albumentations")
    return {
        "saved": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **{f"{library}_version": version(library) for library in libraries},
    }
