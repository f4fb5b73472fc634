"""How to train on a set of labelled photos: read off the labels before the training begins."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.accuracy import need_labels
from cellcount.detector.cell_size import CELL_SIDE
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos
from cellcount.labels.parts import cut_in_tiles
from cellcount.photos.reading import photo_size
from cellcount.photos.tiles import cut

_SMALL = 20  # pixels a side that small cells are given: the detector's points are 8 apart
_TELLING = 22  # pixels for a class of far smaller cells, which is to be told from the others
MULTIPLE = 32  # of image sizes: of others, strides do not divide, and boxes come out shifted
_LEAST, _MOST, _MOST_LONG = 256, 640, 768  # cells that are long are thin
_ROUND = 1.5  # a set whose boxes are longer than that, by the median, is one of long cells
_WHOLE = 512  # pixels a side of photos that are small enough to be shown as they are
_PIECE = 320  # pixels a side at least of what a step shows of larger photos
_CROWD = 3  # cells that such a piece holds on average: of sparse photos it is the whole
_SEVERAL = 1.5  # times as long as the smallest photo: photos of several sizes
_EVEN = 0.75  # of the spread of cell sizes that shrinking to one size gives: tiles are better
_FRAME = 384  # pixels a side in which a detector of any cell is shown photos
_SHOWN = 320  # pixels a side of the pieces that it learns from
_STEPS_A_CELL = 20  # of a training on few photos from such a detector
_LEAST_STEPS, _FEW_STEPS = 150, 400  # classes are told apart no sooner
_EPOCH = 50  # steps at least between two looks at the losses


@dataclass(frozen=True)
class Recipe:
    """How a detector is trained; :meth:`of` reads it off labels, and any value may be set by hand.

    ``size`` is the longest side in pixels to which photos are brought, and ``crop`` the side of
    the piece of it that a step shows; where they are equal, it shows the whole. ``angle`` is by how
    many degrees photos are turned beside quarters. ``steps`` is how many pieces are shown in all,
    one a step; ``rate`` is the ``base_lr`` of fastai's ``fine_tune``. ``head_start`` is the
    checkpoint whose weights the training begins with. Photos larger than ``tile`` pixels are cut
    into tiles of that side, each of which is treated as a photo. ``backbone`` is one of VFNet's in
    IceVision; the laptop's, if left out. ``why`` gives the reasons. ``share`` is the part of the
    steps that a training takes which is for the calibration alone.

    With ``cell_side``, as :meth:`of_any_cell` has it, photos are brought to sizes by their cells:
    in training to many, in counting to the one at which cells are so many pixels wide. ``size`` is
    the frame that they are counted in then.
    """

    size: int
    crop: int
    angle: int = 0
    steps: int = 1000
    rate: float = 4e-3
    head_start: Path | None = None
    tile: int | None = None
    backbone: str = "efficientnet_lite0_fpn"
    why: str = ""
    cell_side: int | None = None
    share: float = 0.4

    @classmethod
    def of_any_cell(cls, **more: Any) -> "Recipe":
        """How a detector learns to find cells of whatever size, on photos of whatever size.

        Args:
            more: values of the recipe.
        """
        own = {"size": _FRAME, "crop": _SHOWN, "angle": 180, "cell_side": CELL_SIDE}
        return cls(**{**own, **more})

    @classmethod
    def of_few(cls, photos: Sequence[Path], **by_hand: Any) -> "Recipe":
        """How a detector of any cell, its head start, learns from a few photos what else they tell.

        Photos are shown as that has learned from others, so that it stays right about what the
        few do not show. The fewer cells are labelled, the less there is to learn.

        Args:
            photos: each with an XML of its name beside it.
            by_hand: values of a recipe, to be taken as they are.
        """
        cells = sum(len(voc.read(photo.with_suffix(".xml")).boxes) for photo in photos)
        steps = int(np.clip(_STEPS_A_CELL * cells, _LEAST_STEPS, _FEW_STEPS))
        found = {"steps": steps, "rate": cls.rate / 2, "share": 1.0}
        return cls.of_any_cell(**{**found, **by_hand})

    @classmethod
    def of(cls, photos: Sequence[Path], **by_hand: Any) -> "Recipe":
        """Read the labels of photos.

        The smallest tenth of the cells gets 20 pixels a side or more, a class of cells less than
        half as large as most gets 22; photos get from 256 to 640, of long cells to 768. Of those
        above 512, a step shows a piece that holds three round cells, from 320 pixels on, and there
        are twice as many steps then. A box stands upright: around a long cell that lies askew it is
        wide, and turned with the cell by any angle it would stay too wide. So photos of long cells
        are turned by quarters only. Photos of several sizes whose cells are of one are cut into
        tiles.

        Args:
            photos: each with an XML of its name beside it.
            by_hand: values of a recipe, to be taken as they are.

        Raises:
            CellCountError: no cell is labelled, or the labels cannot be used.
        """
        boxes = [
            (box.label, number, box.xmax - box.xmin, box.ymax - box.ymin, max(photo_size(photo)))
            for number, photo in enumerate(photos)
            for box in voc.read(photo.with_suffix(".xml")).boxes
        ]
        need_labels(len(boxes))
        labels, on = np.array([box[0] for box in boxes]), np.array([box[1] for box in boxes])
        width, height, longest = np.array([box[2:] for box in boxes], dtype=float).clip(1).T
        long = np.median(np.maximum(width, height) / np.minimum(width, height)) >= _ROUND
        across = np.minimum(width, height) if long else np.sqrt(width * height)
        tile = by_hand.get("tile", _tile(across, longest, on))
        views = len(photos)
        if tile is not None:
            views = sum(len(cut(*photo_size(photo), tile)) for photo in photos)
            longest = np.minimum(longest, tile)
        share = across / longest
        small = np.quantile(share, 0.1)
        wanted = _SMALL / small
        for name in set(labels):
            if (usual := np.median(share[labels == name])) < np.median(share) / 2:
                wanted = max(wanted, _TELLING / usual)
        size = min(max(_multiple(wanted), _LEAST), _MOST_LONG if long else _MOST)
        size = by_hand.get("size", size)
        piece = _multiple(size * np.sqrt(_CROWD * views / len(boxes)))
        # A cut shortens what is known by its length.
        whole = long or size <= _WHOLE
        crop = by_hand.get("crop", size if whole else min(max(piece, _PIECE), size))
        found = {
            "size": size,
            "crop": crop,
            "tile": tile,
            "steps": cls.steps if crop == size else 2 * cls.steps,
            "angle": 0 if long else 180,
            "why": f"small cells are {small * size:.0f} pixels wide then; cells are "
            f"{'long' if long else 'round'}, so photos are turned by "
            f"{'quarters' if long else 'any angle'}",
        }
        if by_hand.get("backbone", cls.backbone) != cls.backbone:
            found["rate"] = cls.rate / 2  # of a network that has learned to detect already
        return cls(**{**found, **by_hand})

    def cut(self, folder: str | Path, out: str | Path = "out/tiles") -> Path:
        """The folder of what is shown of its labelled photos: itself, or ``out`` with their tiles.

        Raises:
            CellCountError: there is no labelled photo, or labels cannot be used.
        """
        if self.tile is None:
            return Path(folder)
        shutil.rmtree(out, ignore_errors=True)
        for photo in labelled_photos(folder):
            cut_in_tiles(photo, out, self.tile)
        return Path(out)

    def __str__(self) -> str:
        """The recipe and its reasons in a line."""
        piece = "" if self.crop == self.size else f" in pieces of {self.crop}"
        if self.tile is not None:
            piece = f" for tiles of {self.tile} pixels of the photos{piece}"
        reason = f": {self.why}" if self.why else ""
        if self.cell_side is not None:
            side = f"cells {self.cell_side} pixels wide"
            return f"{self.steps} steps from a detector of any cell, {side}{reason}."
        return f"{self.size} pixels{piece}, {self.steps} steps{reason}."

    def times(self, photos: int) -> int:
        """How often each of so many photos is shown in an epoch: 50 steps at least.

        Raises:
            CellCountError: there is none to show.
        """
        if not photos:
            raise CellCountError(
                "A single labelled photo leaves none to learn from once one is set aside: label "
                "another, or train on the one by `cellcount train FOLDER`."
            )
        return -(-_EPOCH // photos)

    def total(self, photos: int) -> int:
        """How many steps that makes in whole epochs, the one for the head alone among them."""
        return (self.epochs(photos) + 1) * photos * self.times(photos)

    def epochs(self, photos: int) -> int:
        """How many epochs make up the steps."""
        return max(1, round(self.steps / (photos * self.times(photos))))


def _multiple(side: float) -> int:
    """The image size that is at least so many pixels a side."""
    return int(-(-side // MULTIPLE) * MULTIPLE)


def _tile(
    across: NDArray[np.float64], longest: NDArray[np.float64], on: NDArray[np.intp]
) -> int | None:
    """The side of tiles that suits photos of several sizes whose cells are of one, else None.

    Shrinking such photos to one size would make cells on the larger ones smaller. The tiles are as
    large as the smallest photo.

    Args:
        across: (n,), how large each cell is, in pixels of its photo.
        longest: (n,), the longest side of its photo.
        on: (n,), the number of its photo.
    """
    if longest.max() < _SEVERAL * longest.min():
        return None
    photos = [on == number for number in np.unique(on)]
    native = np.std([np.median(np.log(across[one])) for one in photos])
    shrunk = np.std([np.median(np.log((across / longest)[one])) for one in photos])
    return int(longest.min()) if native < _EVEN * shrunk else None


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
