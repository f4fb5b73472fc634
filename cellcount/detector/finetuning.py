"""The training of train.ipynb in one call: from labelled photos to a checkpoint that counts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellcount.detector.bridging import apply_bridge
from cellcount.detector.head_start import warm_start
from cellcount.detector.training import EPOCHS, RATE, laptop_model, learner, save, seed_everything
from cellcount.errors import CellCountError
from cellcount.labels.confirmed import labelled_photos

_SHARE = 5  # one photo in so many is set aside, as in train.ipynb


def finetune(
    folder: str | Path,
    out: str | Path,
    *,
    photos: Sequence[Path] | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Path:
    """Train as train.ipynb does on a laptop, on labels that a person drew or confirmed.

    One photo in five, rounded up, is set aside; the calibration learns from those.

    Args:
        folder: labelled photos.
        out: checkpoint to write.
        photos: which of them to learn from, all if left out.
        epochs: how often each photo is shown.
        seed: decides who is set aside, and all chance in the training.

    Returns:
        ``out``.

    Raises:
        CellCountError: less than two photos are labelled, or their labels cannot be used.
    """
    photos = labelled_photos(folder) if photos is None else photos
    if len(photos) < 2:
        raise CellCountError(
            f"{folder} has one labelled photo. Label another: one is set aside for the calibration."
        )
    parsed, class_map = records(folder, photos)
    order = np.random.default_rng(seed).permutation(len(photos))
    aside = math.ceil(len(photos) / _SHARE)
    held_out, learned = ([parsed[i] for i in part] for part in (order[:aside], order[aside:]))
    model = trained(learned, held_out, len(class_map), epochs=epochs, seed=seed)
    save(model, class_map, held_out, out)
    return Path(out)


def trained(
    learned: Sequence[Any], held_out: Sequence[Any], classes: int, *, epochs: int, seed: int
) -> Any:
    """The laptop's model, from the shipped checkpoint on.

    Args:
        learned: records to train on.
        held_out: records that only the losses are computed on.
        classes: number of classes, the background among them.
        epochs: how often each photo is shown.
        seed: of all chance.
    """
    seed_everything(seed)
    model = laptop_model(classes)
    warm_start(model)
    learner(model, learned, held_out).fine_tune(epochs, RATE, freeze_epochs=1)
    return model


def records(folder: str | Path, photos: Sequence[Path]) -> tuple[list[Any], Any]:
    """IceVision's records in the order of ``photos``, and their class map.

    Raises:
        CellCountError: the labels of a photo cannot be used.
    """
    apply_bridge()
    import icevision.all as ice

    parser = ice.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    (records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
    by_name = {Path(record.filepath).name: record for record in records}
    missing = [photo.name for photo in photos if photo.name not in by_name]
    if missing:
        raise CellCountError(
            f"The labels of {missing[0]} cannot be used: python -m cellcount check says why."
        )
    return [by_name[photo.name] for photo in photos], parser.class_map
