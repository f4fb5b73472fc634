"""A labelled photo cut into parts, each with its labels: a set of photos out of a single one."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cellcount.labels import voc
from cellcount.photos.reading import photo_size, read_photo
from cellcount.photos.tiles import cut

_SEEN = 0.4  # of a cell's box that must lie in a part for it to be labelled there


def cut_in_quarters(photo: str | Path, folder: str | Path) -> list[Path]:
    """Write the four quarters of a photo, and an XML beside each.

    Args:
        photo: with an XML of its name beside it.
        folder: to write to.

    Returns:
        The quarters, row by row: 0 and 3 lie across from each other, as 1 and 2 do.
    """
    width, height = (side // 2 for side in photo_size(photo))
    corners = [(left, top) for top in (0, height) for left in (0, width)]
    return _cut_out(photo, folder, [(x, y, x + width, y + height) for x, y in corners])


def cut_in_tiles(photo: str | Path, folder: str | Path, side: int) -> list[Path]:
    """Write the tiles of a photo (:mod:`cellcount.photos.tiles`), and an XML beside each.

    Args:
        photo: with an XML of its name beside it.
        folder: to write to.
        side: of a tile, in pixels of the photo.
    """
    return _cut_out(photo, folder, [tile.seen for tile in cut(*photo_size(photo), side)])


def _cut_out(
    photo: str | Path, folder: str | Path, parts: Sequence[tuple[int, int, int, int]]
) -> list[Path]:
    """Write parts of a photo; a cell is labelled on those that show two fifths of its box."""
    photo, folder = Path(photo), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = read_photo(photo), voc.read(photo.with_suffix(".xml"))
    written = []
    for number, (left, top, right, bottom) in enumerate(parts):
        file = folder / f"{photo.stem}-{number}.png"
        Image.fromarray(pixels[top:bottom, left:right]).save(file)
        seen = (_seen(box, left, top, right, bottom) for box in labels.boxes)
        boxes = tuple(box for box in seen if box is not None)
        voc.write(
            file.with_suffix(".xml"),
            voc.Annotation(file.name, right - left, bottom - top, boxes),
        )
        written.append(file)
    return written


def _seen(box: voc.Box, left: int, top: int, right: int, bottom: int) -> voc.Box | None:
    """The box in the frame of a part, clipped to it, or None if too little of it is there."""
    xmin, xmax = max(box.xmin, left), min(box.xmax, right)
    ymin, ymax = max(box.ymin, top), min(box.ymax, bottom)
    area = (box.xmax - box.xmin) * (box.ymax - box.ymin)
    if xmin >= xmax or ymin >= ymax or (xmax - xmin) * (ymax - ymin) < _SEEN * area:
        return None
    return voc.Box(box.label, xmin - left, ymin - top, xmax - left, ymax - top)
