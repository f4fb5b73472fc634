"""Photos to count on: made of the bundled ones, because rendering large photos takes minutes."""

from pathlib import Path

BUNDLED = sorted((Path(__file__).resolve().parent.parent / "data/rendered").glob("*.jpg"))


def mosaic(target: Path, side: int, tiles: int = 1) -> Path:
    """Write a square photo of the bundled ones, enlarged or shrunk, side by side.

    Args:
        target: JPEG to write.
        side: of the whole, in pixels.
        tiles: how many photos across, and down.
    """
    from PIL import Image

    edges = [round(side * number / tiles) for number in range(tiles + 1)]
    whole = Image.new("RGB", (side, side))
    for row in range(tiles):
        for column in range(tiles):
            size = edges[column + 1] - edges[column], edges[row + 1] - edges[row]
            with Image.open(BUNDLED[(row * tiles + column) % len(BUNDLED)]) as photo:
                whole.paste(
                    photo.resize(size, Image.Resampling.BICUBIC), (edges[column], edges[row])
                )
    whole.save(target, quality=90)
    return target


def true_count(tiles: int) -> int:
    """How many cells are labelled on a mosaic."""
    from cellcount.labels import voc

    counts = [len(voc.read(photo.with_suffix(".xml")).boxes) for photo in BUNDLED]
    return sum(counts[number % len(BUNDLED)] for number in range(tiles**2))
