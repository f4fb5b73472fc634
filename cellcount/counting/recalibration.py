"""What a detector finds on labelled photos, made into what it takes to count with it.

With that, a detector counts a reader's own photos without training: only its scale is learned.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellcount.bars import Bar
from cellcount.calibration.classes import learn_by_class
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Prediction, beside_labels, match
from cellcount.calibration.usual import learn_usual
from cellcount.counting.detections import Detections
from cellcount.detector.provenance import checkpoint_meta
from cellcount.errors import CellCountError
from cellcount.files import replacing

Find = Callable[[Path], Detections]  # a detector's boxes on a photo, also the unlikely ones


def recalibrate(
    checkpoint: str | Path,
    photos: Sequence[Path],
    out: str | Path,
    *,
    find: Find,
    classes: Sequence[str],
    tile: int | None,
) -> None:
    """Write a checkpoint that counts photos like some labelled ones, which takes seconds.

    Threshold, calibration, interval and what photos look like are learned from what the detector
    finds on the photos; its weights stay as they are. So it must not have learned from them.

    Args:
        checkpoint: written by a training; it is left as it is.
        photos: labelled, three or more for an interval of use.
        out: checkpoint to write.
        find: by this detector.
        classes: the kinds of cells that the detector tells apart.
        tile: pixels a side of the tiles that it is shown of larger photos.

    Raises:
        CellCountError: no cell is labelled, the detector finds none of them, or a file cannot be
            used.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if checkpoint.resolve() == out.resolve():
        raise CellCountError(
            f"{out} would be replaced: choose another name for what is calibrated."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    found = found_on(photos, find, classes)
    calibration = Calibration.learn([match(one.classless) for one in found])
    if not calibration.explains:
        raise CellCountError(
            f"This detector does not see these cells: it counts them "
            f"{calibration.accuracy.share_off:.0f} % wrong even so. Train one: cellcount train "
            f"{photos[0].parent}"
        )
    usual = learn_usual(photos, found, calibration, tile)
    tell(checkpoint, out, checkpoint_meta(calibration, tile, learn_by_class(found), usual))


def found_on(photos: Sequence[Path], find: Find, classes: Sequence[str]) -> list[Prediction]:
    """What a detector finds on labelled photos, beside their labels."""
    found = []
    for photo in Bar(photos, unit="photo", leave=False):
        one = find(photo)
        found.append(beside_labels(photo, one.boxes, one.scores, one.kinds(classes)))
    return found


def tell(checkpoint: Path, out: Path, learned: Mapping[str, Any]) -> None:
    """Write a checkpoint with the weights of another, and what was learned about counting."""
    import torch

    stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = {name: value for name, value in stored["meta"].items() if name != "by_class"}
    stored["meta"] = {**kept, **learned}
    with replacing(out) as beside:
        torch.save(stored, beside)
