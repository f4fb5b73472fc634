"""A detector made to count the reader's own photos without training: only its scale is learned."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm.auto import tqdm

from cellcount.calibration.classes import learn_by_class
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import beside_labels, match
from cellcount.calibration.usual import learn_usual
from cellcount.counting.detections import Detections
from cellcount.detector.provenance import checkpoint_meta
from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels.confirmed import labelled_photos


def recalibrate(
    checkpoint: str | Path,
    folder: str | Path,
    out: str | Path,
    *,
    find: Callable[[Path], Detections],
    classes: Sequence[str],
    tile: int | None,
) -> None:
    """Write a checkpoint that counts photos like some labelled ones, which takes seconds.

    Threshold, calibration, interval and what photos look like are learned from what the detector
    finds on the photos; its weights stay as they are. So it must not have learned from them.

    Args:
        checkpoint: written by a training; it is left as it is.
        folder: labelled photos, three or more for an interval of use.
        out: checkpoint to write.
        find: finds the detector's boxes on a photo, also the unlikely ones.
        classes: the kinds of cells that the detector tells apart.
        tile: pixels a side of the tiles that it is shown of larger photos.

    Raises:
        CellCountError: no cell is labelled, the detector finds none of them, or a file cannot be
            used.
    """
    import torch

    checkpoint, out = Path(checkpoint), Path(out)
    if checkpoint.resolve() == out.resolve():
        raise CellCountError(
            f"{out} would be replaced: choose another name for what is calibrated."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    photos = labelled_photos(folder, tell=True)
    found = []
    for photo in tqdm(photos, unit="photo", leave=False):
        one = find(photo)
        found.append(beside_labels(photo, one.boxes, one.scores, one.kinds(classes)))
    calibration = Calibration.learn([match(one.classless) for one in found])
    if not calibration.explains:
        raise CellCountError(
            f"This detector does not see these cells: it counts them "
            f"{calibration.accuracy.share_off:.0f} % wrong even so. Train one: cellcount train "
            f"{folder}"
        )
    usual = learn_usual(photos, found, calibration, tile)
    stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = {name: value for name, value in stored["meta"].items() if name != "by_class"}
    learned = checkpoint_meta(calibration, tile, learn_by_class(found), usual)
    stored["meta"] = kept | learned
    with replacing(out) as beside:
        torch.save(stored, beside)
