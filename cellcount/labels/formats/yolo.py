"""YOLO's text files: a line "class x y width height" for each box, as shares of the upright photo.

x and y are its centre. Class numbers count from 0; their names stand in data.yaml (Ultralytics,
Roboflow, CVAT), classes.txt (labelImg, Label Studio) or obj.names (Darknet, CVAT). A sixth number
is a score: a model drew the box.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import yaml

from cellcount.errors import CellCountError
from cellcount.labels.formats.foreign import Foreign, Photos, upright_size, whole_box
from cellcount.labels.pairing import Labelled
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


def files(root: Path) -> list[Path]:
    """The files under ``root`` that name the classes."""
    return [path for name in _NAMES for path in sorted(root.rglob(name))]


def read(root: Path, photos: Photos) -> list[Foreign]:
    """Every text file under ``root`` that holds boxes or is named like a photo.

    Raises:
        CellCountError: something is missing or wrong; it says in which file and line.
    """
    named = files(root)
    if not named:
        raise CellCountError(
            f"{root} holds none of {', '.join(_NAMES)}: put the names of the classes into "
            "classes.txt there, one a line, in the order of their numbers."
        )
    names = _class_names(named[0])
    texts = [
        path
        for path in sorted(root.rglob("*.txt"))
        if path.name not in _NAMES and (photos.has(path.stem) or _looks_like_boxes(path))
    ]
    return [_read(path, names, photos) for path in texts]


def _class_names(path: Path) -> dict[int, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix not in (".yaml", ".yml"):
            return dict(enumerate(line.strip() for line in text.splitlines()))
        names = yaml.safe_load(text)["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise CellCountError(
            f"{path} does not say the names of the classes ({error}): put them into a list "
            '"names: [one, other]" in the order of their numbers.'
        ) from error


def _looks_like_boxes(path: Path) -> bool:
    lines = _lines(path)
    return bool(lines) and lines[0][0].isdigit() and len(lines[0]) >= 5


def _lines(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line.split() for line in text.splitlines() if line.strip()]


def _read(path: Path, names: dict[int, str], photos: Photos) -> Foreign:
    lines = _lines(path)
    photo = photos.find(path.stem, str(path))
    size = upright_size(photo, None, str(path))
    boxes = tuple(_box(line, names, size, f"{path}, box {i}") for i, line in enumerate(lines, 1))
    scored = any(len(line) == 6 for line in lines)
    annotation = Annotation(photo.name, *size, boxes, False if scored else None)
    return Foreign(photo, annotation, str(path))


def _box(line: list[str], names: dict[int, str], size: tuple[int, int], where: str) -> Box:
    if len(line) > 6:
        raise CellCountError(f"{where} is an outline, not a box: export boxes (YOLO detection).")
    try:
        number = int(line[0])
        x, y, width, height = (float(text) for text in line[1:5])
        if not all(map(math.isfinite, (x, y, width, height))):
            raise ValueError
    except ValueError as error:
        raise CellCountError(
            f'{where} is "{" ".join(line)}" instead of "class x y width height": export it again.'
        ) from error
    if number not in names:
        raise CellCountError(f"{where} is of class {number}, which has no name: add it.")
    across, down = size
    return whole_box(
        names[number],
        (x - width / 2) * across,
        (y - height / 2) * down,
        (x + width / 2) * across,
        (y + height / 2) * down,
    )


def write(labelled: Sequence[Labelled], target: Path) -> None:
    """Write data.yaml, classes.txt and the labels; the photos are copied by who calls."""
    names = sorted({box.label for one in labelled for box in one.annotation.boxes})
    classes = yaml.safe_dump({"names": dict(enumerate(names))}, allow_unicode=True)
    text = _CONFIGURATION.format(images=IMAGES) + classes
    (target / "data.yaml").write_text(text, encoding="utf-8")
    (target / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    (target / _LABELS).mkdir(parents=True)
    for one in labelled:
        lines = [_line(box, names.index(box.label), one) for box in one.annotation.boxes]
        path = target / _LABELS / f"{one.photo.stem}.txt"
        path.write_text("".join(lines), encoding="utf-8")


def _line(box: Box, number: int, one: Labelled) -> str:
    x, y = (box.xmin + box.xmax) / 2 / one.width, (box.ymin + box.ymax) / 2 / one.height
    width, height = (box.xmax - box.xmin) / one.width, (box.ymax - box.ymin) / one.height
    return f"{number} {x:.8f} {y:.8f} {width:.8f} {height:.8f}\n"
