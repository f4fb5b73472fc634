"""Photos to count on: made of the bundled ones, because rendering large photos takes minutes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellcount.counting.counter import Counter

_TEACHERS = 12  # photos of a set, at most
BUNDLED = sorted((Path(__file__).resolve().parent.parent / "data/rendered").glob("*.jpg"))


def mosaic(
    target: Path,
    width: int,
    tiles: int = 1,
    *,
    height: int | None = None,
    photos: Sequence[Path] = BUNDLED,
) -> Path:
    """Write a photo of others, enlarged or shrunk, side by side.

    Args:
        target: file to write.
        width: of the whole, in pixels.
        tiles: how many photos across, and down.
        height: of the whole; it is a square if left out.
        photos: to take, the bundled ones if left out; after the last comes the first again.
    """
    from PIL import Image

    whole = Image.new("RGB", (width, width if height is None else height))
    across, down = ([round(side * n / tiles) for n in range(tiles + 1)] for side in whole.size)
    for row in range(tiles):
        for column in range(tiles):
            size = across[column + 1] - across[column], down[row + 1] - down[row]
            with Image.open(photos[(row * tiles + column) % len(photos)]) as photo:
                whole.paste(
                    photo.resize(size, Image.Resampling.BICUBIC), (across[column], down[row])
                )
    whole.save(target, quality=90)
    return target


def true_count(tiles: int, photos: Sequence[Path] = BUNDLED) -> int:
    """How many cells are labelled on a mosaic of so many photos across."""
    counts = [labelled(photo) for photo in photos]
    return sum(counts[number % len(photos)] for number in range(tiles**2))


def labelled(photo: Path) -> int:
    """How many cells are labelled on a photo."""
    from cellcount.labels import voc

    return len(voc.read(photo.with_suffix(".xml")).boxes)


def parted(photos: Sequence[Path]) -> tuple[Sequence[Path], Sequence[Path]]:
    """The photos of a set that teach, twelve at most, and those that judge."""
    learned = min(_TEACHERS, len(photos) // 2)
    return photos[:learned], photos[learned:]


def calibrated(teachers: Sequence[Path], scratch: Path) -> "Counter":
    """``models/cells.pth`` calibrated on labelled photos; it and they are put into ``scratch``.

    Raises:
        CellCountError: it cannot be calibrated on them.
    """
    from cellcount.counting.counter import Counter
    from cellcount.detector.head_start import CELLS

    learned = scratch / "learned"
    learned.mkdir()
    for photo in teachers:
        for file in (photo, photo.with_suffix(".xml")):
            shutil.copy(file, learned)
    return Counter(CELLS, threshold=0.5).calibrate(learned, scratch / "model.pth")
