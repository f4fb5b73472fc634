"""Pascal VOC annotations: one XML beside each photo, with the boxes that labelImg drew.

Boxes are (xmin, ymin, xmax, ymax) in whole pixels of the upright photo, as they stand in the file.
The layout is the one of the PASCAL VOC development kit, in the form in which labelImg writes it.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels.completing import complete
from cellcount.labels.findings import MEND, AnnotationError, Finding
from cellcount.labels.outlines import Outline, carry, fits, put, taken
from cellcount.labels.xml import parse

_VERIFIED = {"yes": True, "no": False}
LARGEST = 2**31 - 1  # of a number in an XML; no photo has as many pixels a side


@dataclass(frozen=True)
class Box:
    """One labelled object; the right and lower edges lie at xmax and ymax, in pixels.

    The label stands here with the blanks it has in the file: to IceVision they are part of it. An
    ``outline`` that fits the box is kept with it; boxes of different outlines are equal.
    """

    label: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    truncated: bool = False
    difficult: bool = False
    outline: Outline = field(default=(), compare=False, repr=False)

    @property
    def fitting(self) -> Outline:
        """The outline, as long as its bounds are the box."""
        corners = (self.xmin, self.ymin, self.xmax, self.ymax)
        return self.outline if fits(self.outline, corners) else ()


@dataclass(frozen=True)
class Annotation:
    """What one XML says about one photo; width and height are those of the upright photo.

    ``verified`` is True if a person confirmed the boxes, False if a model drew them and nobody has
    confirmed them, None if the file does not say: then a person drew them. ``lacks`` has a sentence
    for each thing that IceVision wants in the file and does not find there.
    """

    filename: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    verified: bool | None = None
    lacks: tuple[str, ...] = field(default=(), compare=False)


def read(path: str | Path, *, loose: bool = False) -> Annotation:
    """Read one Pascal VOC file.

    Coordinates with decimals are rounded; absent ``truncated`` and ``difficult`` mean no. Whether
    the boxes make sense is not looked at here but by ``check_folder``.

    Args:
        path: file.
        loose: take a file without name or size of the photo (its own name and 0 are taken), or
            with outlines in the place of boxes (their bounds); the annotation says what it lacks.

    Raises:
        AnnotationError: the file is missing, broken, dangerous or incomplete.
    """
    path = Path(path)
    root = _annotation(path)
    lacks = tuple(complete(root, path.stem)) if loose else ()
    boxes = (_box(path, number, item) for number, item in enumerate(root.iter("object"), start=1))
    return Annotation(
        filename=_text(path, "The annotation", root, "filename"),
        width=_whole(path, "The annotation", root, "size/width"),
        height=_whole(path, "The annotation", root, "size/height"),
        boxes=tuple(boxes),
        verified=_VERIFIED.get(root.get("verified", "")),
        lacks=lacks,
    )


def unconfirmed(path: str | Path) -> bool:
    """Whether a model drew these boxes and nobody has confirmed them.

    A file that cannot be read may be a person's: it is not taken for a model's.
    """
    try:
        return _VERIFIED.get(_annotation(Path(path)).get("verified", "")) is False
    except AnnotationError:
        return False


def write(path: str | Path, annotation: Annotation) -> None:
    """Write one Pascal VOC file as labelImg would, replacing what was there in one step.

    The photo's path is left out: it would be wrong on every other computer. Outlines that were
    there stay, of boxes that are as they were.

    Raises:
        CellCountError: the file cannot be written.
    """
    path = Path(path)
    root = _tree(path.resolve().parent.name, annotation)
    carry(root, path)
    ElementTree.indent(root, "\t")
    try:
        with replacing(path) as part:
            part.write_bytes(ElementTree.tostring(root, encoding="utf-8") + b"\n")
    except OSError as error:
        raise CellCountError(
            f"{path} cannot be written ({error.strerror}). Choose a folder that exists, that you "
            "may write to and that has room."
        ) from error


def _annotation(path: Path) -> ElementTree.Element:
    root = parse(path)
    if root.tag != "annotation":
        problem = f"This is no Pascal VOC file: it holds <{root.tag}> instead of <annotation>."
        cure = "Choose PascalVOC as the format in labelImg, and move other XML elsewhere."
        raise AnnotationError(Finding(path, problem, cure))
    return root


def _box(path: Path, number: int, item: ElementTree.Element) -> Box:
    owner = f"Box {number}"
    box = Box(
        label=_text(path, owner, item, "name", strip=False),
        xmin=_whole(path, owner, item, "bndbox/xmin"),
        ymin=_whole(path, owner, item, "bndbox/ymin"),
        xmax=_whole(path, owner, item, "bndbox/xmax"),
        ymax=_whole(path, owner, item, "bndbox/ymax"),
        truncated=_flag(item, "truncated"),
        difficult=_flag(item, "difficult"),
        outline=taken(item),
    )
    return replace(box, outline=box.fitting)


def _text(
    path: Path, owner: str, item: ElementTree.Element, tag: str, *, strip: bool = True
) -> str:
    text = item.findtext(tag) or ""
    if not text.strip():
        raise AnnotationError(Finding(path, f"{owner} has no <{tag}>.", MEND))
    return text.strip() if strip else text


def _whole(path: Path, owner: str, item: ElementTree.Element, tag: str) -> int:
    text = _text(path, owner, item, tag)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > LARGEST:
        problem = f"{owner} has <{tag}>{text[:40]}</{tag}>, which is no number of pixels."
        raise AnnotationError(Finding(path, problem, MEND))
    return round(number)


def _flag(item: ElementTree.Element, tag: str) -> bool:
    return (item.findtext(tag) or "").strip().lower() in {"1", "true", "yes"}


def _tree(folder: str, annotation: Annotation) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    if annotation.verified is not None:
        root.set("verified", "yes" if annotation.verified else "no")
    _leaf(root, "folder", folder)
    _leaf(root, "filename", annotation.filename)
    _leaf(ElementTree.SubElement(root, "source"), "database", "Unknown")
    size = ElementTree.SubElement(root, "size")
    _leaf(size, "width", annotation.width)
    _leaf(size, "height", annotation.height)
    _leaf(size, "depth", 3)
    _leaf(root, "segmented", 0)
    for box in annotation.boxes:
        item = ElementTree.SubElement(root, "object")
        _leaf(item, "name", box.label)
        _leaf(item, "pose", "Unspecified")
        _leaf(item, "truncated", int(box.truncated))
        _leaf(item, "difficult", int(box.difficult))
        corners = ElementTree.SubElement(item, "bndbox")
        for side in ("xmin", "ymin", "xmax", "ymax"):
            _leaf(corners, side, getattr(box, side))
        put(item, box.fitting)
    return root


def _leaf(parent: ElementTree.Element, tag: str, value: str | int) -> None:
    ElementTree.SubElement(parent, tag).text = str(value)
