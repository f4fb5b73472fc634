"""A head start: the weights of a detector that has seen many cells, where they are of use."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellcount.calibration.accuracy import curve
from cellcount.calibration.matching import Prediction, match
from cellcount.detector.bridging import apply_bridge
from cellcount.errors import CellCountError

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "rendered.pth"
_OF_USE = 0.5  # F1 at IoU 0.5, classes ignored, from which it is taken


def warm_start(model: Any, checkpoint: str | Path = SHIPPED) -> None:
    """Give ``model`` the weights of a detector trained on rendered photos, all that fit.

    Weights that depend on the number of classes are left as they are where the numbers differ.

    Args:
        model: a VFNet on ``efficientnet_lite0_fpn``.
        checkpoint: written by ``pretrain``.

    Raises:
        CellCountError: the file is missing, or made for another model.
    """
    apply_bridge()
    from icevision_bridge.mmcv import load_weights

    if not Path(checkpoint).is_file():
        raise CellCountError(
            f"{checkpoint} is not there: git checkout -- models brings it back; without this line "
            "the training starts from everyday pictures and takes longer."
        )
    stored = load_weights(str(checkpoint))["state_dict"]
    own = model.state_dict()
    fitting = {
        name: value
        for name, value in stored.items()
        if name in own and value.shape == own[name].shape
    }
    if len(fitting) < len(own) - 2:  # the last layer's weight and bias may differ
        raise CellCountError(
            f"{checkpoint} is for VFNet on efficientnet_lite0_fpn; this model is another: leave "
            "the line out."
        )
    model.load_state_dict(fitting, strict=False)


def of_use(found: Sequence[Prediction]) -> bool:
    """Whether the checkpoint finds cells that it has not learned from.

    Where it finds most of them as it is, training from it goes faster and further; where it does
    not, what it knows would have to be unlearned.

    Args:
        found: what it found on labelled photos, beside the labels.
    """
    plain = [replace(one, box_classes=None, label_classes=None) for one in found]
    if not sum(len(one.scores) for one in plain):
        return False
    return float(curve([match(one, 0.5) for one in plain]).f1.max()) >= _OF_USE
