"""What the two notebooks call: the names below, each in the module beside it.

The folders follow a photo on its way: ``photos`` reads it, ``labels`` says what a person drew on
it, ``labelling`` is where people draw, ``detector`` learns from it, ``calibration`` turns scores
into counts, ``counting`` counts it, ``judging`` says how right that is. ``render`` draws photos
that nobody took, ``commands`` is the command line, ``setup`` installs. Each imports only from
those below it; pyproject.toml has the order.

Importing this package loads nothing heavy: a name is fetched from its module when it is first used,
so that ``import cellcount as cc`` takes milliseconds.
"""

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "apply_bridge": "detector.bridging",
    # The photos and their labels.
    "labeled": "photos.folders",
    "not_labeled": "photos.folders",
    "microalgae": "photos.public_photos",
    "list_photos": "photos.reading",
    "ready_to_train": "labels.checks",
    # Training.
    "quick": "photos.folders",
    "warm_start": "detector.head_start",
    "recipe_for": "detector.finetuning",
    "Resumable": "detector.resuming",
    "learn_all": "detector.finetuning",
    "finetune": "detector.finetuning",
    # Judging.
    "predictions": "calibration.matching",
    "threshold_dial": "judging.plots",
    "draw_mistakes": "judging.plots",
    "predicted_against_labelled": "judging.plots",
    # Counting.
    "Counter": "counting.counter",
    "draw_count": "counting.drawing",
    # Labelling.
    "label": "labelling.browser",
    "prelabel": "labelling.prelabelling",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
