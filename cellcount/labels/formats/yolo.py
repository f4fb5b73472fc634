"""YOLO's text files: a line "class x y width height" for each box, as shares of the upright photo.

x and y are its centre. "class x1 y1 x2 y2 ..." is an outline. Class numbers count from 0; their
names stand in data.yaml (Ultralytics, Roboflow, CVAT), classes.txt (labelImg, Label Studio) or
obj.names (Darknet, CVAT). A sixth number is a score: a model drew the box.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import yaml

from cellcount.errors import CellCountError
from cellcount.labels.formats.content import whole
from cellcount.labels.formats.foreign import Boxed, Foreign, upright_size
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, bounds
from cellcount.labels.voc import Annotation, Box

IMAGES = "images/train"
_LABELS = Path("labels", "train")
_NAMES = ("data.yaml", "data.yml", "classes.txt", "obj.names")
_CONFIGURATION = """\
# Set some photos aside for val, which here are the same as those of train.
path: .
train: {images}
val: {images}
"""


def mine(path: Path) -> bool:
    """Whether a file names the classes or holds boxes."""
    return path.name in _NAMES or (path.suffix.lower() == ".txt" and _looks_like_boxes(path))


def read(paths: Sequence[Path], photos: Photos) -> list[Foreign]:
    """Every text file that holds boxes or is named like a photo.

    Raises:
        CellCountError: something is missing or wrong; it says in which file and line.
    """
    named = [path for name in _NAMES for path in sorted(photos.root.rglob(name))]
    alone = photos.source.is_file() and photos.source.name not in _NAMES
    texts = [
        path
        for path in (paths if alone else sorted(photos.root.rglob("*.txt")))
        if path.name not in _NAMES and (path in paths or photos.has(path.stem))
    ]
    names = _class_names(named[0]) if named else _unnamed(texts, photos)
    found = [_read(path, names, photos) for path in texts]
    if scored := sum(one.annotation.verified is False for one in found):
        photos.notes.append(
            f"{scored} of {len(found)} photos have scores beside their boxes, as a model writes "
            "them: these boxes take no part until you confirm them (in labelImg: space)."
        )
    labelled = {one.photo for one in found}
    missing = [
        path for path in photos.found if photos.root in path.parents and path not in labelled
    ]
    if missing and found and not alone:
        photos.notes.append(
            f"Left out, because they have no text file: {len(missing)} of "
            f"{len(missing) + len(labelled)} photos, as {missing[0].name}. Put an empty text file "
            "beside those that hold no cell."
        )
    return found


def _unnamed(texts: Sequence[Path], photos: Photos) -> dict[int, str]:
    """The one class of a data set that names none."""
    numbers = {line[0] for path in texts for line in _lines(path)}
    if numbers - {"0"}:
        raise CellCountError(
            f"{photos.root} holds none of {', '.join(_NAMES)}: put the names of the classes into "
            "classes.txt there, one a line, in the order of their numbers."
        )
    return {0: photos.label}


def _class_names(path: Path) -> dict[int, str]:
    try:
        text = whole(path).decode("utf-8-sig")
        if path.suffix not in (".yaml", ".yml"):
            return dict(enumerate(line.strip() for line in text.splitlines()))
        names = yaml.safe_load(text)["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): _class_name(name) for number, name in pairs}
    except (ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError) as error:
        raise CellCountError(
            f"{path} does not say the names of the classes ({error}): put them into a list "
            '"names: [one, other]" in the order of their numbers.'
        ) from error


def _class_name(name: object) -> str:
    if not isinstance(name, str | int | float):  # lists can stand for gigabytes of text
        raise TypeError(f"{type(name).__name__} is no name")
    return str(name)


def _looks_like_boxes(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(10_000).split()
    return len(first) >= 5 and first[0].isdigit()


def _lines(path: Path) -> list[list[str]]:
    text = whole(path).decode("utf-8-sig", errors="replace")
    return [line.split() for line in text.splitlines() if line.strip()]


def _read(path: Path, names: dict[int, str], photos: Photos) -> Foreign:
    lines = _lines(path)
    photo = photos.find(path.stem, path)
    size = upright_size(photo, None, path)
    shapes = [_shape(line, names, size, f"{path}, box {i}") for i, line in enumerate(lines, 1)]
    scored = any(len(line) == 6 for line in lines)
    return photos.labelled(photo, None, shapes, path, False if scored else None)


def _shape(line: list[str], names: dict[int, str], size: tuple[int, int], where: str) -> Shape:
    outline = len(line) > 6 and len(line) % 2
    try:
        number = int(line[0])
        numbers = [float(text) for text in (line[1:] if outline else line[1:5])]
        if not (outline or len(line) in (5, 6)) or not all(map(math.isfinite, numbers)):
            raise ValueError
    except ValueError as error:
        raise CellCountError(
            f'{where} is "{" ".join(line)[:60]}" instead of "class x y width height": mend the '
            "line, or export it again."
        ) from error
    if number not in names:
        raise CellCountError(
            f"{where} is of class {number}, which has no name: add it to the names of the classes."
        )
    if not outline:
        x, y, width, height = numbers
        numbers = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    _refuse_pixels(numbers, where)
    across = (share * size[0] for share in numbers[::2])
    down = (share * size[1] for share in numbers[1::2])
    return bounds(names[number], zip(across, down, strict=True), where)


def _refuse_pixels(shares: Sequence[float], where: str) -> None:
    """Refuse what lies mostly outside the photo: no mending would bring it back."""
    middles = [(min(some) + max(some)) / 2 for some in (shares[::2], shares[1::2])]
    if max(map(abs, shares)) > 2 or not all(0 <= middle <= 1 for middle in middles):
        raise CellCountError(
            f"{where} lies far outside the photo. YOLO's numbers are shares of its width and "
            "height, from 0 to 1: divide pixels by them, or export the labels again as YOLO."
        )


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write data.yaml, classes.txt and the labels; the photos are copied by who calls."""
    names = sorted({box.label for _, annotation in labelled for box in annotation.boxes})
    classes = yaml.safe_dump({"names": dict(enumerate(names))}, allow_unicode=True)
    text = _CONFIGURATION.format(images=IMAGES) + classes
    (target / "data.yaml").write_text(text, encoding="utf-8")
    (target / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    (target / _LABELS).mkdir(parents=True)
    for _, one in labelled:
        lines = [_line(box, names.index(box.label), one) for box in one.boxes]
        path = target / _LABELS / f"{Path(one.filename).stem}.txt"
        path.write_text("".join(lines), encoding="utf-8")


def _line(box: Box, number: int, one: Annotation) -> str:
    x, y = (box.xmin + box.xmax) / 2 / one.width, (box.ymin + box.ymax) / 2 / one.height
    width, height = (box.xmax - box.xmin) / one.width, (box.ymax - box.ymin) / one.height
    return f"{number} {x:.8f} {y:.8f} {width:.8f} {height:.8f}\n"
