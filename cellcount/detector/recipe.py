"""How to train on a set of labelled photos: read off the labels before the training begins."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellcount.calibration.accuracy import need_labels
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos
from cellcount.photos.reading import photo_size

_SMALL = 24  # pixels a side that small cells are given: the detector's points are 8 apart
_MULTIPLE = 32  # of image sizes
_LEAST, _MOST = 256, 768
_ROUND = 1.5  # a set whose boxes are longer than that, by the median, is one of long cells
_EPOCH = 50  # steps at least between two looks at the losses


@dataclass(frozen=True)
class Recipe:
    """How a detector is trained; :meth:`of` reads it off labels, and any value may be set by hand.

    ``size`` is the longest side in pixels to which photos are brought. ``angle`` is by how many
    degrees photos are turned beside quarters. ``steps`` is how many photos are shown in all, one a
    step; ``rate`` is the ``base_lr`` of fastai's ``fine_tune``. ``head_start`` begins with the
    weights of the shipped checkpoint. ``backbone`` is one of VFNet's in IceVision; the laptop's,
    if left out. ``why`` gives the reasons.
    """

    size: int
    angle: int = 0
    steps: int = 800
    rate: float = 4e-3
    head_start: bool = False
    backbone: str = "efficientnet_lite0_fpn"
    why: str = ""

    @classmethod
    def of(
        cls, folder: str | Path, photos: Sequence[Path] | None = None, **by_hand: Any
    ) -> "Recipe":
        """Read the labels of a folder.

        Small cells, the smallest tenth or half of a class of small ones, get 24 pixels a side, and
        photos from 256 to 768. A box stands upright: around a long cell that lies askew it is wide,
        and turned with the cell by any angle it would stay too wide. So photos of long cells are
        turned by quarters only.

        Args:
            folder: labelled photos.
            photos: which of them, all if left out.
            by_hand: values of a recipe, to be taken as they are.

        Raises:
            CellCountError: no cell is labelled, or the labels cannot be used.
        """
        chosen = labelled_photos(folder) if photos is None else photos
        boxes = [
            (box.label, box.xmax - box.xmin, box.ymax - box.ymin, max(photo_size(photo)))
            for photo in chosen
            for box in voc.read(photo.with_suffix(".xml")).boxes
        ]
        need_labels(len(boxes))
        labels = np.array([box[0] for box in boxes])
        width, height, longest = np.array([box[1:] for box in boxes], dtype=float).clip(1).T
        share = np.sqrt(width * height) / longest
        small = min(np.quantile(share, 0.1), *(np.median(share[labels == n]) for n in set(labels)))
        wanted = -(-_SMALL / small // _MULTIPLE) * _MULTIPLE
        size = int(by_hand.get("size", min(max(wanted, _LEAST), _MOST)))
        long = float(np.median(np.maximum(width, height) / np.minimum(width, height)))
        why = (
            f"small cells are {small * size:.0f} pixels wide then; cells are "
            f"{'round' if long < _ROUND else 'long'}, so photos are turned by "
            f"{'any angle' if long < _ROUND else 'quarters'}"
        )
        return cls(**{"size": size, "angle": 180 if long < _ROUND else 0, "why": why, **by_hand})

    def __str__(self) -> str:
        """The recipe and its reasons in a line."""
        return f"{self.size} pixels, {self.steps} steps: {self.why}."

    def times(self, photos: int) -> int:
        """How often each of so many photos is shown in an epoch: 50 steps at least."""
        return -(-_EPOCH // photos)

    def total(self, photos: int) -> int:
        """How many steps that makes in whole epochs, the one for the head alone among them."""
        return (self.epochs(photos) + 1) * photos * self.times(photos)

    def epochs(self, photos: int) -> int:
        """How many epochs make up the steps."""
        return max(1, round(self.steps / (photos * self.times(photos))))


def rare_classes(photos: Sequence[Path]) -> list[str]:
    """Sentences on classes that are on one photo only: where that is set aside, none is learned."""
    on: Counter[str] = Counter()
    for photo in photos:
        on.update({box.label for box in voc.read(photo.with_suffix(".xml")).boxes})
    if len(photos) < 2:
        return []
    return [
        f"{name} is labelled on one photo only: label it on two more, or its count means little."
        for name, number in on.items()
        if number == 1
    ]
