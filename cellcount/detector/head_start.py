"""A head start: the weights of a detector that has seen many cells, where they are of use."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellcount.calibration.accuracy import curve
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Prediction, match
from cellcount.detector.bridging import apply_bridge
from cellcount.errors import CellCountError

_MODELS = Path(__file__).resolve().parents[2] / "models"
CELLS, SHIPPED = _MODELS / "cells.pth", _MODELS / "rendered.pth"  # real cells; rendered needles
STARTS = (CELLS, SHIPPED)
OF_USE = 0.4  # F1 at IoU 0.5, classes ignored, from which one is taken


def warm_start(model: Any, checkpoint: str | Path = CELLS) -> None:
    """Give ``model`` the weights of a detector that has seen many cells, all that fit.

    Each of several classes begins as the one class of that detector, any cell: what none of them is
    need not be learned anew, and a class of few labels is found from the beginning. Of a detector
    with another number of several classes, those weights are left as they are.

    Args:
        model: a VFNet on ``efficientnet_lite0_fpn``.
        checkpoint: written by ``pretrain``.

    Raises:
        CellCountError: the file is missing, or made for another model.
    """
    stored = _stored(checkpoint)["state_dict"]
    own = model.state_dict()
    fitting = {
        name: value.expand_as(own[name])
        for name, value in stored.items()
        if name in own and value.shape in (own[name].shape, (1, *own[name].shape[1:]))
    }
    if len(fitting) < len(own) - 2:  # the last layer's weight and bias may differ
        raise CellCountError(
            f"{checkpoint} is for VFNet on efficientnet_lite0_fpn; this model is another: leave "
            "the line out."
        )
    model.load_state_dict(fitting, strict=False)


def finds_any_cell(checkpoint: str | Path) -> bool:
    """Whether a detector looks at photos of any look until it knows their cells' size.

    Raises:
        CellCountError: the file is missing.
    """
    return "cell_side" in _stored(checkpoint)["meta"]


def calibration_of(checkpoint: str | Path) -> Calibration | None:
    """What a detector has learned about counting; None if nothing.

    Raises:
        CellCountError: the file is missing.
    """
    meta = _stored(checkpoint)["meta"]
    return Calibration.from_meta(meta["calibration"]) if "calibration" in meta else None


def _stored(checkpoint: str | Path) -> dict[str, Any]:
    apply_bridge()
    from icevision_bridge.mmcv import load_weights

    if not Path(checkpoint).is_file():
        raise CellCountError(
            f"{checkpoint} is not there: git checkout -- models brings it back; without this line "
            "the training starts from everyday pictures and takes longer."
        )
    return load_weights(str(checkpoint))


def best_of(found: Mapping[Path, Sequence[Prediction]]) -> Path | None:
    """The checkpoint that is of most use to a training, None if none is.

    Where one finds most of the cells as it is, training from it goes faster and further; where it
    does not, what it knows would have to be unlearned.

    Args:
        found: what each found on labelled photos that it has not learned from, beside the labels.
    """
    right = {checkpoint: f1(each) for checkpoint, each in found.items()}
    best = max(right, key=lambda checkpoint: right[checkpoint])
    return best if right[best] >= OF_USE else None


def f1(found: Sequence[Prediction]) -> float:
    """The best F1 at IoU 0.5 over all thresholds, classes ignored, of predictions on photos."""
    if not sum(len(one.scores) for one in found):
        return 0.0
    return float(curve([match(one.classless, 0.5) for one in found]).f1.max())
