"""A labelled photo cut into quarters, each with its labels: a set of photos out of a single one."""

from pathlib import Path

from PIL import Image

from cellcount.labels import voc
from cellcount.photos.reading import read_photo

_SEEN = 0.4  # of a cell's box that must lie in a part for it to be labelled there


def cut_in_quarters(photo: str | Path, folder: str | Path) -> list[Path]:
    """Write the four quarters of a photo, and an XML beside each.

    A cell that the cut goes through is labelled where two fifths of its box or more are seen.

    Args:
        photo: with an XML of its name beside it.
        folder: to write to.

    Returns:
        The quarters, row by row: 0 and 3 lie across from each other, as 1 and 2 do.
    """
    photo, folder = Path(photo), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = read_photo(photo), voc.read(photo.with_suffix(".xml"))
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    written = []
    for number in range(4):
        top, left = number // 2 * height, number % 2 * width
        file = folder / f"{photo.stem}-{number}.png"
        Image.fromarray(pixels[top : top + height, left : left + width]).save(file)
        boxes = tuple(
            seen
            for box in labels.boxes
            if (seen := _seen(box, left, top, left + width, top + height)) is not None
        )
        voc.write(file.with_suffix(".xml"), voc.Annotation(file.name, width, height, boxes))
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
