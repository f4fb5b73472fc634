"""Label with the model first: it draws the boxes, a person corrects and confirms them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cellcount.bars import Bar
from cellcount.counting.colours import CELL, FALSE_ALARM
from cellcount.counting.counter import Counter
from cellcount.counting.drawing import draw_boxes
from cellcount.errors import CellCountError
from cellcount.labelling import active_learning
from cellcount.labels import voc
from cellcount.labels.review_order import by_a_person, write_order
from cellcount.photos.reading import PhotoError, list_photos, photo_size, read_photo

_SHOWN, _LONGEST, _GAP = 3, 400, 8  # photos in a notebook; pixels of a side, and between them
_SURE = 0.8  # how likely a box must be a cell for a person to pass it by


@dataclass(frozen=True)
class Drawn:
    """The boxes (n, 4) that a model would draw, in pixels, with scores (n,) and class names (n,).

    ``probable`` (n,) is how likely each is a cell, and ``unsure`` what
    :func:`cellcount.labelling.active_learning.unsure` says about them.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.str_]
    probable: NDArray[np.float64]
    unsure: float


@dataclass(frozen=True)
class Prelabelled:
    """A photo whose boxes a model drew, and why a person should look at it."""

    photo: Path
    drawn: Drawn = field(repr=False)
    signs: active_learning.Signs
    reason: str = ""


class Prelabels(list[Prelabelled]):
    """Photos, the one first at which a person's look is worth most.

    A notebook shows the first three, with the boxes that the model is not sure of in orange.
    """

    def __str__(self) -> str:
        """A table: how far each sign goes, and which one is strongest."""
        width = max([len("photo"), *(len(one.photo.name) for one in self)])
        lines = [f"{'photo':{width}}  boxes  unsure  changed  unlike  strongest sign"]
        for one in self:
            unlike = "-" if one.signs.unlike is None else f"{one.signs.unlike:.1f} x"
            lines.append(
                f"{one.photo.name:{width}}  {len(one.drawn.boxes):5}  {one.signs.unsure:6.0%}  "
                f"{one.signs.changed:7.0%}  {unlike:>6}  {one.reason}"
            )
        return "\n".join(lines)

    def _repr_jpeg_(self) -> bytes | None:
        if not self:
            return None
        pictures = [_picture(one) for one in self[:_SHOWN]]
        width = sum(one.width + _GAP for one in pictures) - _GAP
        row = Image.new("RGB", (width, max(one.height for one in pictures)), "white")
        left = 0
        for picture in pictures:
            row.paste(picture, (left, 0))
            left += picture.width + _GAP
        file = io.BytesIO()
        row.save(file, "JPEG", quality=85)
        return file.getvalue()


def _picture(one: Prelabelled) -> Image.Image:
    """The photo with its boxes, and why it should be looked at."""
    sure = one.drawn.probable >= _SURE
    words = [
        (one.photo.name, "white"),
        (f"{sure.sum()} sure", CELL),
        (f"{(~sure).sum()} unsure", FALSE_ALARM),
    ]
    boxes = [(one.drawn.boxes[sure], CELL), (one.drawn.boxes[~sure], FALSE_ALARM)]
    return draw_boxes(one.photo, boxes, words, _LONGEST)


def draw(counter: Counter, photo: str | Path | NDArray[np.uint8]) -> Drawn:
    """The surest boxes of a photo, as many as ``counter.count`` counts.

    Raises:
        PhotoError: the photo cannot be read.
    """
    found = counter.find(photo)
    if counter.calibration is None:
        n, probable = int(np.sum(found.scores > counter.threshold)), found.scores
    else:
        n = counter.calibration.count(found.scores).n
        probable = counter.calibration.probability(found.scores)
    labels = np.array([counter.classes[number - 1] for number in found.labels[:n]], dtype=str)
    unsure = active_learning.unsure(probable, n)
    return Drawn(found.boxes[:n], found.scores[:n], labels, probable[:n], unsure)


def prelabel(folder: str | Path, model: str | Path) -> Prelabels:
    """Draw boxes on the photos of a folder that no person has labelled, and sort these photos.

    Each photo gets its Pascal VOC file, marked as unconfirmed, as soon as its boxes are drawn; the
    order is kept in the folder. Files of a person are never touched, earlier ones of a model are
    replaced. A photo that cannot be read is named with its reason and left out.

    Args:
        folder: photos, some of them perhaps labelled.
        model: a checkpoint.

    Returns:
        The photos; a notebook shows the first three of them.

    Raises:
        CellCountError: a person has labelled every photo, or something cannot be read or written.
    """
    photos = list_photos(folder)
    own = [photo for photo in photos if by_a_person(photo)]
    others = _distinct([photo for photo in photos if photo not in own])
    if not others:
        raise CellCountError(f"A person has labelled every photo in {folder}: add new ones.")
    counter = Counter(model)
    known = _features(own)
    done = Prelabels()
    try:
        for photo in Bar(others, "Drawing boxes", unit="photo", leave=False):
            try:
                done += _prelabel(counter, photo, known)
            except PhotoError as error:
                Bar.write(f"Left out: {error}")
    finally:  # also when it is interrupted
        ranked = active_learning.most_first([one.signs for one in done])
        done = Prelabels(replace(done[i], reason=reason) for i, reason in ranked)
        write_order(folder, [one.photo for one in done])
    return done


def _distinct(photos: Sequence[Path]) -> list[Path]:
    """Leave out a photo that shares its XML with one before it, and say so."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.stem in first:
            other = first[photo.stem].name
            print(f"Left out: {photo} would share its XML with {other}. Rename one of them.")
        first.setdefault(photo.stem, photo)
    return list(first.values())


def _features(photos: Sequence[Path]) -> NDArray[np.float64]:
    """(n, k) of those photos that can be read; the others are named."""
    seen = []
    for photo in Bar(photos, "Labelled photos", unit="photo", leave=False):
        try:
            seen.append(active_learning.features(photo))
        except PhotoError as error:
            Bar.write(f"Left out: {error}")
    return np.array(seen)


def _prelabel(counter: Counter, photo: Path, known: NDArray[np.float64]) -> list[Prelabelled]:
    drawn = draw(counter, photo)
    size = photo_size(photo)
    # Mirrored at the diagonal, it is flipped and turned at once: x and y have changed places.
    mirrored = np.ascontiguousarray(read_photo(photo).transpose(1, 0, 2))
    again = draw(counter, mirrored).boxes[:, [1, 0, 3, 2]]
    signs = active_learning.Signs(
        drawn.unsure,
        active_learning.changed(drawn.boxes, again),
        active_learning.unlike(active_learning.features(photo), known),
    )
    boxes = tuple(
        _whole(label, box, size) for label, box in zip(drawn.labels, drawn.boxes, strict=True)
    )
    if by_a_person(photo):
        Bar.write(f"Left as it is: a person has labelled {photo} meanwhile.")
        return []
    voc.write(photo.with_suffix(".xml"), voc.Annotation(photo.name, *size, boxes, verified=False))
    return [Prelabelled(photo, drawn, signs)]


def _whole(label: str, box: NDArray[np.float64], size: tuple[int, int]) -> voc.Box:
    """A box in whole pixels, within the photo and at least one pixel wide and high."""
    low = np.clip(np.round(box[:2]), 0, np.array(size) - 1)
    high = np.clip(np.round(box[2:]), low + 1, size)
    xmin, ymin, xmax, ymax = (int(side) for side in (*low, *high))
    return voc.Box(str(label), xmin, ymin, xmax, ymax)
