"""How to train on a set of labelled photos: read off the labels before the training begins."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellcount.calibration.accuracy import need_labels
from cellcount.labels import voc
from cellcount.photos.reading import photo_size

_SMALL = 20  # pixels a side that small cells are given: the detector's points are 8 apart
_TELLING = 40  # pixels for a class of far smaller cells, which is to be told from the others
_MULTIPLE = 32  # of image sizes
_LEAST, _MOST = 256, 768
_ROUND = 1.5  # a set whose boxes are longer than that, by the median, is one of long cells
_PIECE = 320  # pixels a side of what is shown of larger photos, which makes four steps of one
_CROWD = 3  # cells that a piece holds on average; of sparser photos the whole is shown
_EPOCH = 50  # steps at least between two looks at the losses


@dataclass(frozen=True)
class Recipe:
    """How a detector is trained; :meth:`of` reads it off labels, and any value may be set by hand.

    ``size`` is the longest side in pixels to which photos are brought, and ``crop`` the side of
    the piece of it that a step shows; where they are equal, it shows the whole. ``angle`` is by how
    many degrees photos are turned beside quarters. ``steps`` is how many pieces are shown in all,
    one a step; ``rate`` is the ``base_lr`` of fastai's ``fine_tune``. ``head_start`` begins with
    the weights of the shipped checkpoint. ``backbone`` is one of VFNet's in IceVision; the
    laptop's, if left out. ``why`` gives the reasons.
    """

    size: int
    crop: int
    angle: int = 0
    steps: int = 800
    rate: float = 4e-3
    head_start: bool = False
    backbone: str = "efficientnet_lite0_fpn"
    why: str = ""

    @classmethod
    def of(cls, photos: Sequence[Path], **by_hand: Any) -> "Recipe":
        """Read the labels of photos.

        The smallest tenth of the cells gets 20 pixels a side or more, a class of cells less than
        half as large as most gets 40; photos get from 256 to 768. Where a piece of 320 pixels holds
        three round cells or more, a step shows one, and there are twice as many steps. A box
        stands upright: around a long cell that lies askew it is wide, and turned with the cell by
        any angle it would stay too wide. So photos of long cells are turned by quarters only.

        Args:
            photos: each with an XML of its name beside it.
            by_hand: values of a recipe, to be taken as they are.

        Raises:
            CellCountError: no cell is labelled, or the labels cannot be used.
        """
        boxes = [
            (box.label, box.xmax - box.xmin, box.ymax - box.ymin, max(photo_size(photo)))
            for photo in photos
            for box in voc.read(photo.with_suffix(".xml")).boxes
        ]
        need_labels(len(boxes))
        labels = np.array([box[0] for box in boxes])
        width, height, longest = np.array([box[1:] for box in boxes], dtype=float).clip(1).T
        long = np.median(np.maximum(width, height) / np.minimum(width, height)) >= _ROUND
        across = np.minimum(width, height) if long else np.sqrt(width * height)
        share = across / longest
        small = np.quantile(share, 0.1)
        wanted = _SMALL / small
        for name in set(labels):
            if (usual := np.median(share[labels == name])) < np.median(share) / 2:
                wanted = max(wanted, _TELLING / usual)
        size = int(min(max(-(-wanted // _MULTIPLE) * _MULTIPLE, _LEAST), _MOST))
        size = by_hand.get("size", size)
        crowded = len(boxes) / len(photos) * (_PIECE / size) ** 2 >= _CROWD
        # A cut shortens what is known by its length.
        pieces = crowded and size > _PIECE and not long
        crop = by_hand.get("crop", _PIECE if pieces else size)
        found = {
            "size": size,
            "crop": crop,
            "steps": cls.steps if crop == size else 2 * cls.steps,
            "angle": 0 if long else 180,
            "why": f"small cells are {small * size:.0f} pixels wide then; cells are "
            f"{'long' if long else 'round'}, so photos are turned by "
            f"{'quarters' if long else 'any angle'}",
        }
        if by_hand.get("backbone", cls.backbone) != cls.backbone:
            found["rate"] = cls.rate / 2  # of a network that has learned to detect already
        return cls(**{**found, **by_hand})

    def __str__(self) -> str:
        """The recipe and its reasons in a line."""
        piece = "" if self.crop == self.size else f" in pieces of {self.crop}"
        reason = f": {self.why}" if self.why else ""
        return f"{self.size} pixels{piece}, {self.steps} steps{reason}."

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
