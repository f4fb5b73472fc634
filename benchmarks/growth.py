"""How time and memory grow with cells, megapixels and photos, for the shipped detector."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from benchmarks.counting import CHECKPOINT, export
from benchmarks.effort import Effort
from benchmarks.interleave import NotMeasuredError, Worker, interleave, ready
from benchmarks.photos import BUNDLED, mosaic, true_count
from benchmarks.slides import slide
from benchmarks.table import Growth

_SIDE = 2800  # pixels of the photos whose cells grow in number
_TILE = 1000  # pixels
_FRAME = 700  # pixels a side, of a photo as the detector sees it


def measure(effort: Effort) -> list[Growth]:
    """One after the other, each in a process of its own."""
    export()
    with TemporaryDirectory() as folder:
        return [
            _cells(effort, Path(folder)),
            _boxes(effort),
            _megapixels(effort, Path(folder)),
            _tiles(effort, Path(folder)),
            _slides(effort, Path(folder)),
            _photos(effort),
        ]


def _cells(effort: Effort, folder: Path) -> Growth:
    side, across = (1024, (1, 2)) if effort.quick else (_SIDE, (1, 2, 3, 5))
    photos = {true_count(n): mosaic(folder / f"{n}.jpg", side, n) for n in across}
    return _grow(
        "cells on a photo",
        f"bundled photos in ever more rows and columns on one of {side} px, as labelled; the "
        "detector finds less of them as they shrink",
        Worker(prepare_counting),
        {number: [str(photo)] for number, photo in photos.items()},
        effort.repeats(5),
    )


def _boxes(effort: Effort) -> Growth:
    return _grow(
        "cells with boxes",
        "three made-up boxes for each, on one photo which they cover by half at most, thinned out "
        "and made into a count and its interval, without the detector",
        Worker(prepare_weighing),
        {number: [number] for number in ((20, 200) if effort.quick else (20, 200, 2000))},
        effort.repeats(5),
    )


def _megapixels(effort: Effort, folder: Path) -> Growth:
    sizes = (1, 4) if effort.quick else (1, 10, 50, 199)
    bar = tqdm(sizes, desc="enlarging a photo", unit="photo", leave=False)
    photos = {n: mosaic(folder / f"{n}-megapixels.jpg", int(math.sqrt(n * 1e6))) for n in bar}
    return _grow(
        "megapixels",
        "one bundled photo, enlarged",
        Worker(prepare_counting),
        {number: [str(photo)] for number, photo in photos.items()},
        effort.repeats(3),
    )


def _tiles(effort: Effort, folder: Path) -> Growth:
    across = (1, 2) if effort.quick else (1, 3, 7, 14) if effort.full else (1, 3, 7)
    photos = {n: mosaic(folder / f"{n}-tiles.jpg", n * _TILE, n) for n in across}
    return _grow(
        "megapixels by tiles",
        f"bundled photos side by side, in tiles of {_TILE} px, so cells grow with megapixels",
        Worker(prepare_counting, tile=_TILE),
        {(n * _TILE) ** 2 / 1e6: [str(photo)] for n, photo in photos.items()},
        1,
    )


def _slides(effort: Effort, folder: Path) -> Growth:
    sides = (1024, 3000) if effort.quick else (2048, 15_000)
    sides += (40_000,) if effort.full else ()
    photos = {side: mosaic(folder / "photo.jpg", side, side // 1024) for side in sides[:1]}
    photos |= {side: slide(folder / f"{side}.ome.tif", side) for side in sides[1:]}
    return _grow(
        "megapixels of a slide",
        "bundled photos side by side in a pyramidal OME-TIFF, read in parts, in tiles of 1024 px; "
        "the first is a JPEG, read as a whole",
        Worker(prepare_slides, tile=1024),
        {round(side**2 / 1e6, 1): [str(photo)] for side, photo in photos.items()},
        1,
    )


def _photos(effort: Effort) -> Growth:
    numbers = (1, 4) if effort.quick else (1, 10, 100, 1000) if effort.full else (1, 10, 100)
    return _grow(
        "photos",
        f"the {len(BUNDLED)} bundled ones of 1024 px again and again into one table, "
        "without loading the detector",
        Worker(prepare_table),
        {number: [number] for number in numbers},
        effort.repeats(2),
    )


def _grow(
    unit: str, how: str, worker: Worker, points: Mapping[float, Sequence[object]], repeats: int
) -> Growth:
    try:
        with ready(only=worker):
            worker.run(*next(iter(points.values())))  # warms up
            found = interleave(
                {number: partial(worker.run, *given) for number, given in points.items()},
                repeats,
                warm_ups=0,
            )
    except NotMeasuredError as reason:
        return Growth(unit, how, reason=str(reason))
    # The first round goes from few to many, before the process has held what many need.
    return Growth(
        unit,
        how,
        [(n, runs.seconds, runs.runs[0].peak, str(runs.answers[-1])) for n, runs in found.items()],
    )


def prepare_counting(**chosen: int) -> Callable[[str], str]:
    """Counts one photo; it answers with the count and its interval.

    Args:
        chosen: what else Counter is told about the photo.
    """
    from cellcount import Counter

    counter = Counter(CHECKPOINT)
    return lambda photo: str(counter.count(photo, **chosen))


def prepare_slides(**chosen: int) -> Callable[[str], str]:
    """Counts one photo as :func:`prepare_counting`, in parts from five megapixels on."""
    from cellcount.photos import photo_error

    photo_error.MAX_MEGAPIXELS = 5
    return prepare_counting(**chosen)


def prepare_table() -> Callable[[int], int]:
    """Counts many photos into a table; it answers with the number of cells on all."""
    from cellcount import Counter

    counter = Counter(CHECKPOINT)

    def count(number: int) -> int:
        photos = [BUNDLED[i % len(BUNDLED)] for i in range(number)]
        with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # its progress bar
            counts = counter.count_all(photos, Path(folder) / "counts.csv")
        return sum(one.n for one in counts)

    return count


def prepare_weighing() -> Callable[[int], str]:
    """What follows the detector, for as many cells as it is told; it answers with the count."""
    import numpy as np

    from cellcount import Counter
    from cellcount.counting.suppression import suppress

    calibration = Counter(CHECKPOINT).calibration
    if calibration is None:
        raise NotMeasuredError("the shipped detector has learned no interval")
    random = np.random.default_rng(0)
    soft = {"type": "soft_nms", "iou_threshold": 0.4, "min_score": 0.05}  # as it was trained for

    def weigh(cells: int) -> str:
        most = min(60, _FRAME * math.sqrt(0.5 / cells))  # many cells on one photo are small
        sides = random.uniform(most / 6, most, (cells, 2))
        corners = np.repeat(random.uniform(0, _FRAME, (cells, 2)), 3, axis=0)
        corners += random.normal(0, most / 30, corners.shape)
        boxes = np.hstack([corners, corners + sides.repeat(3, axis=0)])
        scores = random.beta(2, 2, len(boxes))
        _, scores = suppress(boxes, scores, np.ones(len(boxes), int), soft)
        n, low, high = calibration.count(scores, 0.95)
        return f"{n} ({low} to {high})"

    return weigh
