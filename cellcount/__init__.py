"""Helpers that the two notebooks, the command line and the tests share.

Importing this package loads nothing heavy: each name below is fetched from its module when it is
first used, so that ``import cellcount as cc`` takes milliseconds.
"""

from importlib import import_module
from typing import Any

_HOME_OF = {
    "apply_bridge": "detector.bridging",
    "calibrate": "calibration.intervals",
    "Calibration": "calibration.intervals",
    "CellCountError": "errors",
    "check_folder": "labels.checks",
    "Count": "counting.count",
    "count_threshold": "calibration.accuracy",
    "Counter": "counting.counter",
    "data_folder": "photos.folders",
    "draw_count": "judging.plots",
    "draw_mistakes": "judging.plots",
    "evaluate": "judging.evaluation",
    "finetune": "detector.finetuning",
    "label": "labelling.browser",
    "labeled": "photos.folders",
    "list_photos": "photos.reading",
    "microalgae": "photos.public_photos",
    "not_labeled": "photos.folders",
    "percentage_error": "calibration.accuracy",
    "predicted_against_labelled": "judging.plots",
    "Prediction": "calibration.matching",
    "predictions": "calibration.matching",
    "prelabel": "labelling.prelabelling",
    "provenance": "detector.provenance",
    "quick": "photos.folders",
    "read_photo": "photos.reading",
    "ready_to_train": "labels.checks",
    "threshold_dial": "judging.plots",
    "warm_start": "detector.head_start",
}

__all__ = [
    "Calibration",
    "CellCountError",
    "Count",
    "Counter",
    "Prediction",
    "apply_bridge",
    "calibrate",
    "check_folder",
    "count_threshold",
    "data_folder",
    "draw_count",
    "draw_mistakes",
    "evaluate",
    "finetune",
    "label",
    "labeled",
    "list_photos",
    "microalgae",
    "not_labeled",
    "percentage_error",
    "predicted_against_labelled",
    "predictions",
    "prelabel",
    "provenance",
    "quick",
    "read_photo",
    "ready_to_train",
    "threshold_dial",
    "warm_start",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(__all__)
