"""How a detector of any cell is made: trained on many looks, and taught to count by others."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import match
from cellcount.calibration.usual import learn_usual
from cellcount.counting.counter import Counter
from cellcount.counting.recalibration import found_on, tell
from cellcount.detector.pretraining import pretrain
from cellcount.detector.provenance import checkpoint_meta
from cellcount.detector.recipe import Recipe


def make(
    out: str | Path,
    folders: Sequence[str | Path],
    *,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
    backbone: str = Recipe.backbone,
) -> None:
    """Train on photos of many looks by :func:`pretrain`, and learn to count on those set aside.

    Args:
        out: checkpoint to write.
        folders: each with labelled photos of one look.
        epochs: how often photos are shown.
        seed: of all chance in the training.
        start: a checkpoint to train further; else the backbone starts from ImageNet.
        backbone: its name among VFNet's backbones in IceVision.

    Raises:
        CellCountError: labels cannot be used: it lists them; or the photos are too few.
    """
    out = Path(out)
    with TemporaryDirectory() as scratch:
        raw = Path(scratch, out.name)
        aside = pretrain(raw, folders, epochs=epochs, seed=seed, start=start, backbone=backbone)
        counter = Counter(raw, threshold=0.5)
        found = found_on(aside, counter.find, counter.classes)
        calibration = Calibration.learn([match(one) for one in found])
        usual = learn_usual(aside, found, calibration, None)
        out.parent.mkdir(parents=True, exist_ok=True)
        tell(raw, out, checkpoint_meta(calibration, usual=usual))
