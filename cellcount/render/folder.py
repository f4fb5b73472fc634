"""A folder of rendered photos, each with its Pascal VOC file."""

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

from cellcount.bars import Bar
from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels import voc

from .photo import Rendered, render_photo

LABEL = "Microalgae"
TRUE_COUNTS = "true_counts.csv"
GOLDEN = (5**0.5 - 1) / 2


def render_folder(
    out: str | Path,
    *,
    photos: int,
    seed: int,
    size: int = 1024,
    cells: tuple[int, int] = (20, 140),
    labels: bool = True,
    quality: int = 85,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Write `photos` rendered JPEGs into a folder, and their boxes as Pascal VOC.

    Photo i depends on (seed, i), size and cells only, so that a longer folder begins like a
    shorter one.

    Args:
        out: the folder; made if absent.
        photos: how many.
        seed: 0 or more.
        size: pixels a side.
        cells: fewest and most cells in a photo; the numbers are spread evenly between them.
        labels: an XML beside each photo; if False, `true_counts.csv` (photo, count) instead.
        quality: of the JPEGs, 1 to 95.
        overwrite: replace files that are there already.
        progress: show a progress bar.

    Returns:
        The photos' paths.

    Raises:
        CellCountError: unusable numbers, or files that are there already or cannot be written.
    """
    fewest, most = cells
    if photos < 1 or seed < 0 or not 0 <= fewest <= most or not 1 <= quality <= 95:
        raise CellCountError(
            f"Cannot render {photos} photos with seed {seed}, {fewest} to {most} cells and JPEG "
            f"quality {quality}; ask for at least one photo, a seed of 0 or more, the smaller "
            "number of cells first, and a quality of 1 to 95."
        )
    out = Path(out)
    paths = [out / f"rendered-{seed:04d}-{i:02d}.jpg" for i in range(photos)]
    others = [path.with_suffix(".xml") for path in paths] if labels else [out / TRUE_COUNTS]
    _refuse_existing([*paths, *others], overwrite)
    try:
        out.mkdir(parents=True, exist_ok=True)
        counts = []
        for i, path in enumerate(Bar(paths, "Rendering", unit="photo", disable=not progress)):
            photo = render_photo((seed, i), cells=photo_count(seed, i, cells), size=size)
            with replacing(path) as part:
                part.write_bytes(_jpeg(photo, quality))
            counts.append((path.name, len(photo.boxes)))
            if labels:
                voc.write(path.with_suffix(".xml"), _annotation(path, photo))
        if not labels:
            with replacing(out / TRUE_COUNTS) as part:
                part.write_bytes(_table(counts))
    except OSError as error:
        raise CellCountError(
            f"{out} cannot be written to ({error.strerror}). Choose a folder that you may write "
            "to and that has room."
        ) from error
    return paths


def photo_count(seed: int, i: int, cells: tuple[int, int]) -> int:
    """How many cells photo i of a folder holds.

    Steps of the golden ratio, modulo 1, from a start that the seed chooses: they fill an interval
    evenly however many are taken (the additive recurrence, D. E. Knuth, TAOCP 3, 6.4).
    """
    start = np.random.default_rng([seed]).random()
    fewest, most = cells
    return fewest + int((start + i * GOLDEN) % 1 * (most - fewest + 1))


def _refuse_existing(targets: list[Path], overwrite: bool) -> None:
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise CellCountError(
            f"{there[0]} is there already and is not replaced: choose an empty folder or another "
            "seed."
        )


def _annotation(path: Path, photo: Rendered) -> voc.Annotation:
    height, width = photo.image.shape[:2]
    boxes = (voc.Box(LABEL, *corners) for corners in photo.boxes.tolist())
    return voc.Annotation(path.name, width, height, tuple(boxes))


def _jpeg(photo: Rendered, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo.image).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _table(rows: list[tuple[str, int]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("photo", "count"))
    writer.writerows(rows)
    return text.getvalue().encode()
