"""``python -m benchmarks.pictures``: the pictures of the docs, from bundled photos and models.

They go to ``docs/pictures``; what is counted on each is printed, for the sentences beside them.
"""

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from benchmarks.photos import mosaic
from cellcount.calibration.matching import Prediction, beside_labels
from cellcount.counting.colours import CELL, MISS
from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.judging.plots import (
    draw_count,
    draw_mistakes,
    predicted_against_labelled,
    threshold_dial,
)
from cellcount.labels import voc
from cellcount.labels.boxes import box_iou
from cellcount.photos.reading import list_photos, read_photo

ROOT = Path(__file__).resolve().parents[1]
_BLOOD, _NEEDLES = ROOT / "data" / "not_labeled", ROOT / "data" / "rendered"
_MODELS = ROOT / "models"
_MOST = 42_000  # bytes of a picture
_CLOSER = 3  # times, to see a single cell
_GAP = 12  # pixels between pictures side by side


def thresholds() -> Image.Image:
    """A photo of pale cells at three thresholds."""
    photo = _BLOOD / "smear-079.png"
    found = Counter(_MODELS / "smear.pth").find(photo)
    _tell("thresholds", _labelled(photo), [int((found.scores > t).sum()) for t in (0.08, 0.4, 0.8)])
    return _drawn(threshold_dial(photo, found.boxes, found.scores, [0.08, 0.4, 0.8]), 62)


def iou() -> Image.Image:
    """A label, and a box that is shifted by more and more."""
    photo = _BLOOD / "smear-090.png"
    label, pixels, shown = _boxes(photo)[7], _enlarged(read_photo(photo), _CLOSER), []
    wide, high = label[2:] - label[:2]
    for shift in (0.03, 0.18, 0.3):
        box = label + shift * np.array([wide, high] * 2)
        _tell("iou", round(float(box_iou(box[None], label[None])[0, 0]), 2))
        picture = Image.fromarray(pixels)
        draw = ImageDraw.Draw(picture)
        for corners, colour in ((label, MISS), (box, CELL)):
            draw.rectangle(tuple(_CLOSER * corners), outline=colour, width=4)
        middle = _CLOSER * (label[:2] + label[2:]) / 2
        shown.append(picture.crop(tuple(map(round, (*(middle - 140), *(middle + 140))))))
    return _beside(shown)


def debris() -> Image.Image:
    """A bubble, which a detector of any cell takes for one."""
    return _mistakes("debris", "cells.pth", "rendered-0001-00.jpg", (540, 380, 1000, 700))


def crowded() -> Image.Image:
    """Needles in bundles, some of which have no box of their own."""
    return _mistakes("crowded", "rendered.pth", "rendered-0001-02.jpg", (560, 480, 1020, 800))


def twice() -> Image.Image:
    """Tiles that are hardly larger than a cell."""
    with _field(512) as photo:
        count = Counter(_MODELS / "smear.pth").count(photo, tile=64)
        _tell("twice", sum(map(_labelled, _four())), count)
        return draw_count(photo, count)


def magnification() -> Image.Image:
    """Cells half as large as in training, counted without and with ``--scale 0.5``."""
    with _field(256) as photo:
        counts = [Counter(_MODELS / "smear.pth", scale=scale).count(photo) for scale in (None, 0.5)]
        _tell("magnification", sum(map(_labelled, _four())), *counts)
        return _beside([_draw_enlarged(photo, count) for count in counts])


def classes() -> Image.Image:
    """Cells twice as large as in training, counted without and with ``--scale 2``."""
    corner = Image.open(_BLOOD / "smear-008.png").convert("RGB").crop((128, 128, 256, 256))
    with _kept(corner.resize((256, 256), Image.Resampling.BICUBIC)) as photo:
        counts = [Counter(_MODELS / "smear.pth", scale=scale).count(photo) for scale in (None, 2)]
        _tell("classes", *counts)
        return _beside([_draw_enlarged(photo, count) for count in counts])


def pale() -> Image.Image:
    """The same photo with an eighth of its contrast."""
    photo, counter = _BLOOD / "smear-008.png", Counter(_MODELS / "smear.pth")
    flat = ImageEnhance.Contrast(Image.open(photo).convert("RGB")).enhance(0.12)
    with _kept(flat) as dull:
        counts = {one: counter.count(one) for one in (photo, dull)}
        _tell("pale", _labelled(photo), *counts.values())
        return _beside([_draw_enlarged(one, count) for one, count in counts.items()])


def labels() -> Image.Image:
    """A photo on which every third cell was not labelled."""
    photo = _BLOOD / "smear-064.png"
    found = Counter(_MODELS / "smear.pth").find(photo)
    some = np.delete(_boxes(photo), slice(None, None, 3), axis=0)
    judged = Prediction(photo.name, found.boxes, found.scores, some)
    _tell("labels", len(some), int((found.scores > 0.4).sum()))
    return draw_mistakes(_enlarged(read_photo(photo), 2), _times(judged, 2), 0.4)


def intervals() -> Image.Image:
    """A model that has learned from such photos, and one that has seen other looks only."""
    photos, shown = list_photos(_BLOOD), []
    for model in ("smear.pth", "cells.pth"):
        counter = Counter(_MODELS / model)
        counts = [counter.count(photo) for photo in photos]
        ends = [None if c.low is None or c.high is None else (c.low, c.high) for c in counts]
        figure = predicted_against_labelled(
            [_labelled(photo) for photo in photos], [count.n for count in counts], ends
        )
        figure.axes[0].set_title(model)
        shown.append(_drawn(figure, 70))
        _tell("intervals", model, *map(str, counts))
    return _beside(shown)


PICTURES: tuple[Callable[[], Image.Image], ...] = (
    *(thresholds, iou, debris, twice, magnification, crowded, pale, classes, labels, intervals),
)


def _mistakes(name: str, model: str, photo: str, part: tuple[int, int, int, int]) -> Image.Image:
    """A part of a rendered photo, with what a model finds and misses there."""
    path, counter = _NEEDLES / photo, Counter(_MODELS / model)
    found, count = counter.find_and_count(path)
    judged = beside_labels(path, found.boxes, found.scores, None)
    _tell(name, _labelled(path), count)
    assert counter.calibration is not None
    return draw_mistakes(path, judged, counter.calibration.threshold_f1).crop(part)


def _four() -> list[Path]:
    """Photos of one light: the one of another is left out."""
    return [one for one in list_photos(_BLOOD) if one.stem != "smear-079"][:4]


@contextmanager
def _field(width: int) -> Iterator[Path]:
    """Four photos as one, so many pixels wide, in a file."""
    with TemporaryDirectory() as folder:
        yield mosaic(Path(folder) / "photo.png", width, 2, photos=_four())


@contextmanager
def _kept(picture: Image.Image) -> Iterator[Path]:
    """A picture in a file for as long as the block runs."""
    with TemporaryDirectory() as folder:
        picture.save(file := Path(folder) / "photo.png")
        yield file


def _boxes(photo: Path) -> NDArray[np.float64]:
    """What people have labelled on a photo, (n, 4)."""
    beside = photo.with_suffix(".xml")
    apart = photo.parent / "labels" / beside.name
    drawn = voc.read(beside if beside.exists() else apart).boxes
    return np.array([(one.xmin, one.ymin, one.xmax, one.ymax) for one in drawn], dtype=float)


def _labelled(photo: Path) -> int:
    return len(_boxes(photo))


def _enlarged(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    return np.array(ImageOps.scale(Image.fromarray(pixels), times, Image.Resampling.BICUBIC))


def _times(found: Prediction, times: int) -> Prediction:
    return replace(found, boxes=found.boxes * times, labels=found.labels * times)


def _draw_enlarged(photo: Path, count: Count) -> Image.Image:
    return draw_count(_enlarged(read_photo(photo), 2), replace(count, boxes=count.boxes * 2))


def _drawn(figure: Figure, dpi: int) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, dpi=dpi)
    return Image.open(file).convert("RGB")


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one height in a row."""
    wide = sum(one.width + _GAP for one in pictures) - _GAP
    row, left = Image.new("RGB", (wide, pictures[0].height), "white"), 0
    for one in pictures:
        row.paste(one, (left, 0))
        left += one.width + _GAP
    return row


def _tell(name: str, *figures: object) -> None:
    print(f"{name}:", *figures, sep="\n    ")


def main(arguments: list[str] | None = None) -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder")
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    for draw in PICTURES:
        picture, file, quality = draw(), out / f"{draw.__name__}.jpg", 85
        picture.save(file, quality=quality, optimize=True)
        while file.stat().st_size > _MOST:
            quality -= 5
            picture.save(file, quality=quality, optimize=True)


if __name__ == "__main__":
    main()
