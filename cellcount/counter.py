"""A trained checkpoint that counts photos: one, or a folder of them."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm.auto import tqdm

from cellcount import bridge
from cellcount.calibration import Calibration
from cellcount.counting import Count
from cellcount.errors import CellCountError
from cellcount.photos import PhotoError
from cellcount.training import LEAST_SCORE


class Counter:
    """The detector in a checkpoint that train.ipynb saved, ready to count.

    Args:
        checkpoint: the file; class names, image size, backbone and calibration come from its meta.
        threshold: the score above which a box is a cell, in the place of all that the checkpoint
            has learned about counting; there is no interval then.

    Raises:
        CellCountError: the file is missing, damaged, or says too little to count with.
    """

    def __init__(self, checkpoint: str | Path, threshold: float | None = None) -> None:
        """Load the checkpoint; it takes the time that importing IceVision takes."""
        bridge.apply()
        from icevision import tfms
        from icevision.models.checkpoint import model_from_checkpoint

        loaded = model_from_checkpoint(str(checkpoint))
        meta = loaded["checkpoint"]["meta"]
        if threshold is None and "threshold" not in meta:
            raise CellCountError(
                f"{checkpoint} does not say above which score a box is a cell: give a threshold, "
                "or save it with the last cells of train.ipynb."
            )
        self.threshold = float(meta["threshold"] if threshold is None else threshold)
        learned = threshold is None and "calibration" in meta
        self.calibration = Calibration.from_meta(meta["calibration"]) if learned else None
        self.class_map = loaded["class_map"]
        self._model, self._model_type = loaded["model"], loaded["model_type"]
        size = tfms.A.resize_and_pad(loaded["img_size"])
        self._tfms = tfms.A.Adapter([*size, tfms.A.Normalize()])

    def detect(
        self, photo: str | Path | Image.Image, threshold: float = LEAST_SCORE
    ) -> dict[str, Any]:
        """IceVision's ``end2end_detect``: all boxes above a threshold, in pixels of the photo.

        Args:
            photo: its path, or its upright pixels.
            threshold: of the scores.

        Raises:
            PhotoError: the photo cannot be read.
        """
        return self._model_type.end2end_detect(
            photo if isinstance(photo, Image.Image) else Path(photo),
            self._tfms,
            self._model,
            class_map=self.class_map,
            detection_threshold=threshold,
            return_img=False,
        )

    def count(self, photo: str | Path) -> Count:
        """Count the cells on one photo.

        Raises:
            PhotoError: the photo cannot be read.
        """
        if self.calibration is None:
            return Count.from_detection(photo, self.detect(photo, self.threshold))
        return Count.from_detection(photo, self.detect(photo), self.calibration)

    def count_all(self, photos: Iterable[str | Path], table: str | Path) -> list[Count]:
        """Count many photos, with a progress bar; each count is in ``table`` as soon as it is made.

        A photo that cannot be read is named with its reason and left out.

        Args:
            photos: paths of photos.
            table: CSV to write, columns photo, count, low and high; an older one is replaced.
        """
        Path(table).parent.mkdir(parents=True, exist_ok=True)
        counts = []
        with Path(table).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["photo", "count", "low", "high"])
            for photo in tqdm(list(photos), unit="photo", leave=False):
                try:
                    one = self.count(photo)
                except PhotoError as error:
                    tqdm.write(f"Left out: {error}")
                    continue
                counts.append(one)
                rows.writerow([one.photo, one.n, one.low, one.high])
                file.flush()
        return counts
