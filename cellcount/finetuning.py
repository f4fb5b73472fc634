"""The training of train.ipynb in one call: from labelled photos to a checkpoint that counts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellcount.crossval import records
from cellcount.errors import CellCountError
from cellcount.judging import labelled_photos
from cellcount.pretrain import warm_start
from cellcount.training import EPOCHS, RATE, laptop_model, learner, save, seed_everything

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

    One photo in five, at least one, is set aside; the calibration learns from those.

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
    aside = max(1, len(photos) // _SHARE)
    held_out, learned = ([parsed[i] for i in part] for part in (order[:aside], order[aside:]))
    seed_everything(seed)
    model = laptop_model(len(class_map))
    warm_start(model)
    learner(model, learned, held_out).fine_tune(epochs, RATE, freeze_epochs=1)
    save(model, class_map, held_out, out)
    return Path(out)
