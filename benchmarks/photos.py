"""Photos to count on: made of the bundled ones, because rendering large photos takes minutes."""

from collections.abc import Sequence
from pathlib import Path

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
