"""Helpers that the two notebooks, the command line and the tests share.

Importing this package loads nothing heavy: each name below is fetched from its module when it is
first used, so that ``import cellcount as cc`` takes milliseconds.
"""

from importlib import import_module
from typing import Any

_HOME_OF = {
    "calibrate": "calibration",
    "Calibration": "calibration",
    "CellCountError": "errors",
    "check_folder": "checks",
    "Count": "counting",
    "count_threshold": "counting",
    "Counter": "counter",
    "data_folder": "folders",
    "draw_count": "plots",
    "draw_mistakes": "plots",
    "evaluate": "evaluation",
    "finetune": "finetuning",
    "label": "browser",
    "labeled": "folders",
    "list_photos": "photos",
    "microalgae": "public_photos",
    "not_labeled": "folders",
    "percentage_error": "counting",
    "predicted_against_labelled": "plots",
    "Prediction": "matching",
    "predictions": "matching",
    "prelabel": "prelabelling",
    "provenance": "origin",
    "quick": "folders",
    "read_photo": "photos",
    "ready_to_train": "checks",
    "threshold_dial": "plots",
    "warm_start": "pretrain",
}

__all__ = [
    "Calibration",
    "CellCountError",
    "Count",
    "Counter",
    "Prediction",
    "bridge",
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
