"""Public repositories of cells under open licences, each turned into a look or more."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu

from benchmarks.looks.boxes import Boxes, Labelled, bounds, box_of, parted, sides_of, stretched
from cellcount.photos.reading import read_photo

_SMEARS = 290  # that are looked through for ones on which nearly all cells have a point
_MOST = 36  # of them
_PIECE = 200  # pixels a side of a piece with bacteria
_CULTURE = 512  # pixels a side of a piece of a culture
_PERIPHERAL = (360, 363), (360, 360)  # sizes of the photos that are of peripheral blood
_WHITE, _RED, _PLATELET = 0, 1, 2
_BLOOD = 30  # photos of peripheral blood
_NEURONS = {  # folder, ending of photos, how many; times enlarged, pixels a side of a piece before
    "cfos": ("cFOS", "cFOS", 6, 2, 512),
    "cortex": ("transfer_learning/train", "new", 5, 2.5, 384),
    "parv": ("Parv", "Parv", 6, 1.5, 512),
}


def smears(clone: Path) -> Iterator[Labelled]:
    """Chula-RBC-12: smears on which nearly all cells have a point; the cells are parted there."""
    labels = sorted((clone / "Label").glob("*.txt"), key=lambda file: int(file.stem))
    chosen: list[Labelled] = []
    for file in labels[:: max(1, len(labels) // _SMEARS)][:_SMEARS]:
        points = _points(file)[:, :2]
        photo = read_photo(clone / "Dataset" / f"{file.stem}.jpg")
        green = cv2.GaussianBlur(photo[..., 1], (5, 5), 0)
        cells = ndimage.binary_fill_holes(green < threshold_otsu(green))
        cells = ndimage.binary_opening(cells, iterations=2)
        boxes = bounds(parted(points, cells, 45))
        sides = sides_of(boxes)
        usual = np.median(sides) if len(sides) else 0.0
        boxes = boxes[(sides > 0.6 * usual) & (sides < 1.6 * usual)]
        if len(boxes) and len(boxes) >= 0.85 * len(points) and _all_boxed(cells, boxes, usual):
            chosen.append(Labelled("chula", f"chula-{file.stem}", photo, boxes))
    chosen.sort(key=lambda one: f"{one.name}.png")
    yield from chosen[:: max(1, len(chosen) // _MOST)][:_MOST]


def tissue(clone: Path) -> Iterator[Labelled]:
    """BRCA-M2C: a quarter of each photo, twice enlarged, its points made boxes by their stain."""
    photos = sorted((clone / "images").glob("*.png"))
    for number in range(0, len(photos), max(1, len(photos) // 40)):
        file = photos[number]
        points = _points(clone / "labels" / f"{file.stem}_gt_class_coords.txt")[:, 1::-1]
        photo = read_photo(file)
        stain = ndimage.gaussian_filter(rgb2hed(photo)[..., 0], 1.5)
        nuclei = ndimage.binary_opening(stain > threshold_otsu(stain))
        numbers = parted(points, ndimage.binary_fill_holes(nuclei), 14)
        parts = ndimage.find_objects(numbers, max_label=len(points))
        tall = [part[0].stop - part[0].start for part in parts if part is not None]
        usual = max(np.median(tall) if tall else 16, 12) / 2
        boxes = np.array(
            [
                box_of(part)
                if part is not None and min(one.stop - one.start for one in part) >= 8
                else np.clip([x - usual, y - usual, x + usual, y + usual], 0, len(photo))
                for (x, y), part in zip(points, parts, strict=True)
            ]
        )
        quarter = Labelled("brca", f"brca-{number}", photo, boxes).piece(0, 0, 246)
        if len(quarter.boxes) >= 5:
            yield quarter.enlarged(2)


def bacteria(clone: Path) -> Iterator[Labelled]:
    """ColiCoords: pieces around the rods of its tests, twice enlarged; boxes are of masks."""
    for kind in ("brightfield", "fluorescence"):
        for file in sorted(clone.glob(f"test/test_data/ds[12]/{kind}/*.tif")):
            masks = sorted((file.parents[1] / "binary").glob(f"{file.stem}*"))
            if not masks:
                continue
            boxes = bounds(np.array(Image.open(masks[0])).astype(int))
            photo = stretched(np.array(Image.open(file)), 0.5, 99.7)
            name = f"coli-{kind}-{file.parents[1].name}-{file.stem}"
            whole, left = Labelled(f"coli_{kind}", name, photo, boxes), np.ones(len(boxes), bool)
            for number in range(3):
                if not left.any():
                    break
                first = boxes[left.argmax()]
                middle = (first[:2] + first[2:]) / 2 - _PIECE / 2
                most = np.array(photo.shape[1::-1]) - _PIECE
                x, y = np.trunc(middle).clip(0, most).astype(int)
                yield whole.piece(x, y, _PIECE).enlarged(2)._replace(name=f"{name}-{number}")
                left &= ~whole.inside(x, y, _PIECE)


def culture(clone: Path) -> Iterator[Labelled]:
    """Usiigaci: a corner of each photo of spread cells; boxes are of masks."""
    for folder in sorted((clone / "Mask R-CNN").glob("*/set*")):
        cells = np.array(Image.open(folder / "instances_ids.png")).astype(int)
        raw = np.array(Image.open(folder / "raw.tif"))[: len(cells), : cells.shape[1]]
        number = int(folder.name[3:])
        x, y = 510 * (number % 2), 0 if number % 4 < 2 else len(cells) - _CULTURE
        corner = np.s_[y : y + _CULTURE, x : x + _CULTURE]
        boxes = bounds(cells[corner])
        boxes = boxes[sides_of(boxes) > 12]
        if len(boxes) >= 4:
            photo = stretched(raw, 0.5, 99.7)[corner]
            yield Labelled("usiigaci", f"usii-{folder.name}", photo, boxes)


def blood(clone: Path) -> Iterator[Labelled]:
    """TXL-PBC: photos of its peripheral blood with a box on each white cell; no platelets."""
    chosen = 0
    for file in sorted(clone.glob("TXL_PBC/images/*/*.jpg"))[::3]:
        photo = read_photo(file)
        height, width = photo.shape[:2]
        labels = Path(str(file.with_suffix(".txt")).replace("/images/", "/labels/"))
        rows = np.loadtxt(labels, ndmin=2).reshape(-1, 5)
        if (width, height) not in _PERIPHERAL or len(rows) < 4:
            continue
        kind, middle = rows[:, 0], rows[:, 1:3] * [width, height]
        half = rows[:, 3:] * [width, height] / 2
        boxes = np.hstack([middle - half, middle + half])
        stained = (photo[..., 0] < 135) & (photo[..., 2].astype(int) - photo[..., 1] > 45)
        parts, _ = ndimage.label(ndimage.binary_opening(stained, iterations=3))
        seen = _covered(parts.shape, boxes[kind != _RED] + [0, 0, 1, 1])
        large = [one for one in range(1, parts.max() + 1) if (parts == one).sum() > 500]
        if (kind == _WHITE).any() and all(seen[parts == one].mean() >= 0.6 for one in large):
            name = f"pbc-{file.stem[:8]}"
            yield Labelled("blood_pbc", name, photo, boxes[kind != _PLATELET])
            chosen += 1
        if chosen == _BLOOD:
            return


def neurons(clone: Path) -> Iterator[Labelled]:
    """DeepFLaSH: its sample photos of three stains, enlarged; boxes are of masks."""
    for stain, (folder, ending, photos, times, side) in _NEURONS.items():
        for number in range(photos):
            file = clone / "sample_images" / folder / f"{number:02d}_{ending}.tif"
            masks = np.array(Image.open(file.with_name(f"{number:02d}_expert.tif"))) > 0
            parts, _ = ndimage.label(masks)
            parts[np.isin(parts, np.flatnonzero(np.bincount(parts.ravel()) < 20))] = 0
            photo = stretched(np.array(Image.open(file)), 0.5, 99.9)
            whole = Labelled(f"neuron_{stain}", "", photo, bounds(parts))
            corners = [
                (x, y)
                for y in range(0, photo.shape[0] - side + 1, side)
                for x in range(0, photo.shape[1] - side + 1, side)
            ]
            pieces = {
                f"neuron_{stain}-{number}-{y}-{x}": whole.piece(x, y, side) for x, y in corners
            }
            fullest = sorted(pieces, key=lambda name: -len(pieces[name].boxes))[:4]
            for name in fullest:
                if len(pieces[name].boxes) >= 3:
                    yield pieces[name].enlarged(times)._replace(name=name)


SOURCES: dict[str, Callable[[Path], Iterator[Labelled]]] = {
    "Chula-RBC-12-Dataset": smears,
    "TXL-PBC_Dataset": blood,
    "Dataset-BRCA-M2C": tissue,
    "ColiCoords": bacteria,
    "DeepFLaSH": neurons,
    "Usiigaci": culture,
}


def _all_boxed(cells: NDArray[np.bool_], boxes: Boxes, usual: float) -> bool:
    """Whether boxes cover nearly all of what is as large as a third of a cell or larger."""
    numbers, parts = ndimage.label(cells)
    large = 1 + np.flatnonzero(ndimage.sum(cells, numbers, range(1, parts + 1)) > 0.3 * usual**2)
    seen, covered = np.isin(numbers, large), _covered(cells.shape, boxes)
    return (seen & ~covered).sum() <= 0.12 * seen.sum()


def _covered(shape: tuple[int, ...], boxes: Boxes) -> NDArray[np.bool_]:
    """(height, width), where there is a box."""
    covered = np.zeros(shape, bool)
    for left, top, right, bottom in boxes.clip(0).astype(int):
        covered[top:bottom, left:right] = True
    return covered


def _points(file: Path) -> NDArray[np.int64]:
    """(n, 3), a point of each cell and its kind."""
    return np.array(file.read_text().split(), int).reshape(-1, 3)
