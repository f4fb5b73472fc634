"""``python -m benchmarks.brightness FOLDER...``: photos of other light, with the rule and without.

Each folder is a set of labelled photos of one look. ``models/cells.pth`` is calibrated on its first
twelve photos by name, or half of them if there are less than 24. It counts others as they are, in
other light and without cells, and photos of each other set: as they are, and by the rule that
brings photos of unusual light to the levels of those learned from.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.photos import calibrated, labelled, parted
from benchmarks.table import markdown, write_between
from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos
from cellcount.photos.brightness import eight_bits
from cellcount.photos.reading import read_photo

_JUDGED, _CHANGED, _OTHERS = 6, 2, 2  # photos of a set; the last of each other
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "microscopes.md"
Pixels = NDArray[np.uint8]


def _of_light(
    change: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Callable[[Pixels], Pixels]:
    """What changes the light of a photo, whose white is 1."""
    return lambda pixels: np.rint(255 * np.clip(change(pixels / 255), 0, 1)).astype(np.uint8)


_LIGHT: Mapping[str, Callable[[Pixels], Pixels]] = {
    "x 0.1": _of_light(lambda light: light * 0.1),
    "x 0.25": _of_light(lambda light: light * 0.25),
    "x 0.5": _of_light(lambda light: light * 0.5),
    "x 1.5": _of_light(lambda light: light * 1.5),
    "gamma 0.5": _of_light(lambda light: light**0.5),
    "gamma 2": _of_light(lambda light: light**2),
    "haze": _of_light(lambda light: light * 0.5 + 0.3),
    "12 bits, a hot pixel": lambda pixels: eight_bits(_hot(pixels.astype(np.uint16) * 16)),
    "16 bits, x 0.3": lambda pixels: eight_bits((pixels * 77.1).astype(np.uint16)),
}
_HEADS = (
    "calibrated on photos of",
    "as they are: changed by the rule",
    "other light: off, without and with the rule",
    "flagged",
    "labelled count in the interval, if not flagged",
    "without cells: counted above 1, not flagged",
    "others' photos: flagged",
)


class Both(NamedTuple):
    """The counts of a photo without the rule and with it, and the labelled number."""

    without: Count
    ruled: Count
    number: int = 0


@dataclass
class Found:
    """What was counted for one set."""

    name: str
    own: list[Both] = field(default_factory=list)
    light: list[Both] = field(default_factory=list)
    empty: list[Both] = field(default_factory=list)
    others: list[Both] = field(default_factory=list)

    def cells(self) -> list[str]:
        """What stands in the table."""
        changed = sum(str(one.without) != str(one.ruled) for one in self.own)
        total = sum(one.number for one in self.light)
        off, held = [], []
        for rule in (0, 1):
            off.append(sum(abs(one[rule].n - one.number) for one in self.light) / total)
            sure = [one for one in self.light if not one[rule].why]
            right = sum(one[rule].low <= one.number <= one[rule].high for one in sure)
            held.append(f"{right} of {len(sure)}")
        return [
            self.name,
            f"{changed} of {len(self.own)}",
            ", ".join(f"{one:.0%}" for one in off),
            _how_many(self.light, lambda one: bool(one.why)),
            ", ".join(held),
            _how_many(self.empty, lambda one: one.n > 1 and not one.why),
            _how_many(self.others, lambda one: bool(one.why)),
        ]


def main(arguments: list[str] | None = None) -> None:
    """Calibrate for each set, and count its other photos in their own light and in another."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.brightness", description=main.__doc__
    )
    parser.add_argument("folders", nargs="+", type=Path, help="sets of labelled photos")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page that has the table")
    options = parser.parse_args(arguments)
    sets = {folder: labelled_photos(folder) for folder in options.folders}
    rows = []
    for folder, photos in tqdm(sets.items(), unit="set"):
        others = [
            one for other in sets if other != folder for one in parted(sets[other])[1][:_OTHERS]
        ]
        name = folder.parent.name if folder.name == "labeled" else folder.name
        with TemporaryDirectory() as scratch:
            rows.append(measure(name, photos, others, Path(scratch)).cells())
        print(rows[-1], flush=True)
    lines = markdown(_HEADS, rows, texts=1)
    write_between(options.page, "brightness", lines)
    print("\n".join(lines))


def measure(name: str, photos: Sequence[Path], others: Sequence[Path], scratch: Path) -> Found:
    """Count a set's later photos in all lights, their empty parts, and others' photos."""
    teachers, judged = parted(photos)
    counter = calibrated(teachers, scratch)
    found = Found(name)
    found.own = [_both(counter, read_photo(photo), scratch) for photo in judged[:_JUDGED]]
    for photo in judged[:_CHANGED]:
        pixels = read_photo(photo)
        for change in _LIGHT.values():
            found.light.append(_both(counter, change(pixels), scratch, labelled(photo)))
        found.empty.append(_both(counter, _without_cells(photo), scratch))
    found.others = [_both(counter, read_photo(photo), scratch) for photo in others]
    return found


def _both(counter: Counter, pixels: Pixels, scratch: Path, number: int = 0) -> Both:
    file, usual = scratch / "photo.png", counter.usual
    assert usual is not None
    Image.fromarray(pixels).save(file)
    ruled = counter.count(file)
    if not ruled.matched:
        return Both(ruled, ruled, number)
    counter.usual = replace(usual, levels=None)
    without = counter.count(file)
    counter.usual = usual
    return Both(without, ruled, number)


def _hot(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    values[len(values) // 2, 0] = 65_535
    return values


def _without_cells(photo: Path) -> Pixels:
    """A photo whose cells are painted over with what lies beside them, noise and all."""
    pixels = read_photo(photo)
    cells = np.zeros(pixels.shape[:2], bool)
    for box in voc.read(photo.with_suffix(".xml")).boxes:
        margin = (box.xmax - box.xmin) // 4 + 2
        top, left = max(0, box.ymin - margin), max(0, box.xmin - margin)
        cells[top : box.ymax + margin, left : box.xmax + margin] = True
    bare = pixels[~cells]
    if len(bare):
        pixels[cells] = np.random.default_rng(0).choice(bare, int(cells.sum()))
    return pixels


def _how_many(counts: Sequence[Both], what: Callable[[Count], bool]) -> str:
    """Of how many it is true, without the rule and with it."""
    without, ruled = (sum(what(one[rule]) for one in counts) for rule in (0, 1))
    return f"{without}, {ruled} of {len(counts)}"


if __name__ == "__main__":
    main()
