"""``python -m benchmarks.trust FOLDER...``: which counts are flagged, and do the others hold?

Each folder is a set of labelled photos of one look. ``models/cells.pth`` is calibrated on its first
twelve photos by name, or half of them if there are less than 24, as ``cellcount calibrate`` does.
It counts the set's other photos, those same spoilt, enlarged, shrunk and side by side, and photos
of each other set.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from benchmarks.photos import calibrated, labelled, mosaic, parted, true_count
from benchmarks.table import markdown, write_between
from cellcount.calibration.usual import Usual
from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.errors import CellCountError
from cellcount.labels.confirmed import labelled_photos
from cellcount.photos.reading import photo_size, read_photo

_OTHERS = 15  # photos of each other set
_CHANGED = 6  # photos that are spoilt and resized
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "counting.md"
_SPOILT: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "blurred": lambda photo: photo.filter(ImageFilter.GaussianBlur(max(photo.size) / 32)),
    "a tenth as bright": lambda photo: photo.point(lambda value: value // 10),
    "burnt out": lambda photo: photo.point(lambda value: min(255, value * 2 + 60)),
    "black": lambda photo: Image.new("RGB", photo.size),
    "white": lambda photo: Image.new("RGB", photo.size, "white"),
    "noise": lambda photo: Image.effect_noise(photo.size, 80).convert("RGB"),
}
_TIMES = (0.25, 0.5, 2.0, 4.0)
_HEADS = (
    "calibrated on photos of",
    "others' photos flagged",
    "own flagged",
    "spoilt flagged",
    "resized: right within 10 % or flagged",
    "side by side: counted of labelled",
    "labelled count in the interval, if not flagged",
    "time a photo, against without flags",
)


@dataclass
class Found:
    """What was counted for one set; every list has one entry a photo."""

    name: str
    own: list[tuple[Count, int]] = field(default_factory=list)  # with the labelled number
    others: list[Count] = field(default_factory=list)
    spoilt: list[Count] = field(default_factory=list)
    resized: list[tuple[Count, Count]] = field(default_factory=list)  # before and after
    mosaics: list[tuple[Count, int]] = field(default_factory=list)
    cost: float = np.nan  # time of a photo with its flags against without

    def cells(self) -> list[str]:
        """What stands in the table."""
        believed = [(one.low, number, one.high) for one, number in self.own if not one.why]
        held = sum(low <= number <= high for low, number, high in believed)
        right = [_near(after.n, before.n) for before, after in self.resized]
        told = sum(
            near or bool(after.why) for near, (_, after) in zip(right, self.resized, strict=True)
        )
        side = [
            f"{one.n} of {number}{', flagged' if one.why else ''}" for one, number in self.mosaics
        ]
        return [
            self.name,
            _of([bool(one.why) for one in self.others]),
            _of([bool(one.why) for one, _ in self.own]),
            _of([bool(one.why) for one in self.spoilt]),
            f"{told} of {len(right)} ({sum(right)} right)",
            "; ".join(side) or "sizes differ",
            f"{held} of {len(believed)}",
            f"{self.cost:.2f}",
        ]


def main(arguments: list[str] | None = None) -> None:
    """Calibrate for each set, count photos that are like it and photos that are not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=main.__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="sets of labelled photos")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page that has the table")
    options = parser.parse_args(arguments)
    sets = {folder: labelled_photos(folder) for folder in options.folders}
    rows = []
    for folder in tqdm(sets, unit="set"):
        others = [
            one for other in sets if other != folder for one in parted(sets[other])[1][:_OTHERS]
        ]
        with TemporaryDirectory() as scratch:
            name = folder.parent.name if folder.name == "labeled" else folder.name
            try:
                rows.append(measure(name, sets[folder], others, Path(scratch)).cells())
            except CellCountError as error:
                rows.append([name, f"refused: {error}", *[""] * (len(_HEADS) - 2)])
    lines = markdown(_HEADS, rows, texts=1)
    write_between(options.page, "trust", lines)
    print("\n".join(lines))


def measure(name: str, photos: Sequence[Path], others: Sequence[Path], scratch: Path) -> Found:
    """Count a set's later photos, what becomes of them when changed, and others' photos.

    Raises:
        CellCountError: the model cannot be calibrated on the first ones.
    """
    teachers, judged = parted(photos)
    counter = calibrated(teachers, scratch)
    found = Found(name)
    found.own = [(counter.count(photo), labelled(photo)) for photo in judged]
    found.others = [counter.count(photo) for photo in others]
    for photo, (before, _) in zip(judged[:_CHANGED], found.own, strict=False):
        picture = Image.fromarray(read_photo(photo))
        for spoil in _SPOILT.values():
            found.spoilt.append(_counted(counter, spoil(picture), scratch))
        for times in _TIMES:
            size = [max(1, round(side * times)) for side in picture.size]
            after = _counted(counter, picture.resize(size, Image.Resampling.LANCZOS), scratch)
            found.resized.append((before, after))
    (width, height), *differ = {photo_size(photo) for photo in judged}
    for tiles in () if differ else (2, 4):
        file = scratch / "mosaic.png"
        mosaic(file, tiles * width, tiles, height=tiles * height, photos=judged)
        found.mosaics.append((counter.count(file), true_count(tiles, judged)))
    found.cost = _cost(counter, judged)
    return found


def _cost(counter: Counter, photos: Sequence[Path]) -> float:
    """Time of a photo against the time without its flags: medians, taken in turns."""
    seconds: list[tuple[Usual | None, list[float]]] = [(counter.usual, []), (None, [])]
    for photo in [*photos[:_CHANGED]] * 5:
        for usual, some in seconds:
            counter.usual = usual
            began = time.perf_counter()
            counter.count(photo)
            some.append(time.perf_counter() - began)
    with_flags, without = (statistics.median(some) for _, some in seconds)
    return float(with_flags / without)


def _counted(counter: Counter, picture: Image.Image, scratch: Path) -> Count:
    file = scratch / "photo.png"
    picture.save(file)
    return counter.count(file)


def _near(one: int, other: int) -> bool:
    return abs(one - other) <= max(1, 0.1 * other)


def _of(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)}"


if __name__ == "__main__":
    main()
