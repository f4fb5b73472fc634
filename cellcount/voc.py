"""Pascal VOC annotations: one XML beside each photo, with the boxes that labelImg drew.

Boxes are (xmin, ymin, xmax, ymax) in whole pixels of the upright photo, as they stand in the file.
The layout is the one of the PASCAL VOC development kit, in the form in which labelImg writes it.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import defusedxml
import defusedxml.ElementTree

from cellcount.errors import CellCountError
from cellcount.photos import PhotoError, is_photo, photo_size

_OPEN_AND_SAVE = "Open the photo in labelImg, check that its boxes sit on the cells, and save."
_LABEL_AGAIN = "Label the photo again in labelImg, or bring the file back from a backup."

_VERIFIED = {"yes": True, "no": False}
_LISTED = 5  # box numbers in one sentence


@dataclass(frozen=True)
class Box:
    """One labelled object; the right and lower edges lie at xmax and ymax, in pixels."""

    label: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    truncated: bool = False
    difficult: bool = False


@dataclass(frozen=True)
class Annotation:
    """What one XML says about one photo; width and height are those of the upright photo.

    ``verified`` is True if a person confirmed the boxes, False if a model drew them and nobody has
    confirmed them, None if the file does not say: then a person drew them.
    """

    filename: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    verified: bool | None = None


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing about one file that a user should know before training."""

    file: Path
    problem: str
    cure: str
    severity: Literal["error", "note"] = "error"

    def __repr__(self) -> str:
        """Say it as one plain line, also where a notebook shows a list of them."""
        return f"{self.file}: {self.problem} {self.cure}"


class AnnotationError(CellCountError):
    """An XML that holds no usable annotation; ``finding`` says which and why."""

    def __init__(self, finding: Finding) -> None:
        """Take the finding, which is also the message."""
        super().__init__(finding)
        self.finding = finding


def read(path: str | Path) -> Annotation:
    """Read one Pascal VOC file.

    Coordinates with decimals are rounded; absent ``truncated`` and ``difficult`` mean no. Whether
    the boxes make sense is not looked at here but in :func:`check_folder`.

    Raises:
        AnnotationError: the file is missing, broken, dangerous or incomplete.
    """
    path = Path(path)
    root = _parse(path)
    boxes = (_box(path, number, item) for number, item in enumerate(root.iter("object"), start=1))
    return Annotation(
        filename=_text(path, "The annotation", root, "filename"),
        width=_whole(path, "The annotation", root, "size/width"),
        height=_whole(path, "The annotation", root, "size/height"),
        boxes=tuple(boxes),
        verified=_VERIFIED.get(root.get("verified", "")),
    )


def unconfirmed(path: str | Path) -> bool:
    """Whether a model drew these boxes and nobody has confirmed them.

    A file that cannot be read may be a person's: it is not taken for a model's.
    """
    try:
        return _VERIFIED.get(_parse(Path(path)).get("verified", "")) is False
    except AnnotationError:
        return False


def write(path: str | Path, annotation: Annotation) -> None:
    """Write one Pascal VOC file as labelImg would, replacing what was there in one step.

    The photo's path is left out: it would be wrong on every other computer.

    Raises:
        CellCountError: the file cannot be written.
    """
    path = Path(path)
    root = _tree(path.resolve().parent.name, annotation)
    ElementTree.indent(root, "\t")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(ElementTree.tostring(root, encoding="utf-8") + b"\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CellCountError(
            f"{path} cannot be written ({error.strerror}). Choose a folder that exists, that you "
            "may write to and that has room."
        ) from error


def check_folder(folder: str | Path) -> list[Finding]:
    """Compare every XML in the folder with its photo, the one that shares its name before the dot.

    An error would stop the training or teach it something wrong; a note is only worth knowing.
    Photos are read no further than their header.

    Raises:
        CellCountError: there is no such folder, or it holds neither photos nor XML.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellCountError(f"There is no folder {folder}. Check its name.")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    xmls = [path for path in files if path.suffix.lower() == ".xml" and path.name[0] != "."]
    photos = defaultdict(list)
    for path in filter(is_photo, files):
        photos[path.stem].append(path)
    if not xmls and not photos:
        raise CellCountError(f"{folder} holds neither photos nor XML. Choose the labelled folder.")
    findings = [finding for xml in xmls for finding in _check_xml(xml, photos[xml.stem])]
    labelled = {xml.stem for xml in xmls}
    unlabelled = (path for stem in photos.keys() - labelled for path in photos[stem])
    return findings + [_unlabelled(path) for path in sorted(unlabelled)]


def _parse(path: Path) -> ElementTree.Element:
    try:
        root = defusedxml.ElementTree.parse(path).getroot()
    except OSError as error:
        cure = "Check the name and that you may read it."
        problem = f"The file cannot be read ({error.strerror})."
        raise AnnotationError(Finding(path, problem, cure)) from error
    except defusedxml.DefusedXmlException as error:
        problem = "The XML defines entities, as attacks do and labelling programs never do."
        raise AnnotationError(Finding(path, problem, _LABEL_AGAIN)) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = f"The XML is damaged ({error})."
        raise AnnotationError(Finding(path, problem, _LABEL_AGAIN)) from error
    if root.tag != "annotation":
        problem = f"This is no Pascal VOC file: it holds <{root.tag}> instead of <annotation>."
        cure = "Choose PascalVOC as the format in labelImg, and move other XML elsewhere."
        raise AnnotationError(Finding(path, problem, cure))
    return root


def _box(path: Path, number: int, item: ElementTree.Element) -> Box:
    owner = f"Box {number}"
    return Box(
        label=_text(path, owner, item, "name"),
        xmin=_whole(path, owner, item, "bndbox/xmin"),
        ymin=_whole(path, owner, item, "bndbox/ymin"),
        xmax=_whole(path, owner, item, "bndbox/xmax"),
        ymax=_whole(path, owner, item, "bndbox/ymax"),
        truncated=_flag(item, "truncated"),
        difficult=_flag(item, "difficult"),
    )


def _text(path: Path, owner: str, item: ElementTree.Element, tag: str) -> str:
    text = (item.findtext(tag) or "").strip()
    if not text:
        raise AnnotationError(Finding(path, f"{owner} has no <{tag}>.", _LABEL_AGAIN))
    return text


def _whole(path: Path, owner: str, item: ElementTree.Element, tag: str) -> int:
    text = _text(path, owner, item, tag)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        problem = f"{owner} has <{tag}>{text}</{tag}>, which is no number."
        raise AnnotationError(Finding(path, problem, _LABEL_AGAIN))
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
    return root


def _leaf(parent: ElementTree.Element, tag: str, value: str | int) -> None:
    ElementTree.SubElement(parent, tag).text = str(value)


@dataclass(frozen=True)
class _Labelled:
    """An XML beside the photo it labels, and the photo's true size, for the checks below."""

    xml: Path
    annotation: Annotation
    photo: Path
    width: int
    height: int


def _check_xml(xml: Path, photos: list[Path]) -> list[Finding]:
    if not photos:
        return [_photo_missing(xml)]
    findings = [_ambiguous(xml, photos)] if len(photos) > 1 else []
    try:
        annotation = read(xml)
        photo = next((path for path in photos if path.name == annotation.filename), photos[0])
        labelled = _Labelled(xml, annotation, photo, *photo_size(photo))
    except AnnotationError as error:
        return [*findings, error.finding]
    except PhotoError as error:
        return [*findings, Finding(error.file, error.problem, error.cure)]
    return findings + [finding for check in _CHECKS if (finding := check(labelled))]


def _photo_missing(xml: Path) -> Finding:
    problem = f"There is no photo named {xml.stem} beside it."
    return Finding(xml, problem, "Put the photo there, give both the same name, or delete the XML.")


def _unlabelled(photo: Path) -> Finding:
    problem = "The photo has no XML, so it takes no part in the training."
    return Finding(photo, problem, "Label it in labelImg if it should.", severity="note")


def _ambiguous(xml: Path, photos: list[Path]) -> Finding:
    names = " and ".join(photo.name for photo in photos)
    problem = f"It is unclear which photo it labels: {names} share its name."
    return Finding(xml, problem, "Rename or move all but one of them.")


def _wrong_filename(labelled: _Labelled) -> Finding | None:
    stated, photo = labelled.annotation.filename, labelled.photo.name
    if stated == photo:
        return None
    problem = f"Its <filename> is {stated}, but the photo beside it is {photo}."
    return Finding(labelled.xml, problem, _OPEN_AND_SAVE)


def _wrong_size(labelled: _Labelled) -> Finding | None:
    stated = labelled.annotation.width, labelled.annotation.height
    true = labelled.width, labelled.height
    if stated == true:
        return None
    problem = "Its <size> is {} × {} pixels, but the upright photo has {} × {}".format(
        *stated, *true
    )
    if stated == true[::-1]:
        problem += ": swapped, as if the camera's EXIF rotation was ignored while labelling."
        return Finding(labelled.xml, problem, _OPEN_AND_SAVE)
    problem += ": it was resized, cropped or exchanged after labelling."
    return Finding(labelled.xml, problem, "Bring the labelled photo back, or label this one anew.")


def _outside(labelled: _Labelled) -> Finding | None:
    right, bottom = labelled.width, labelled.height
    return _bad_boxes(
        labelled,
        lambda box: min(box.xmin, box.ymin) < 0 or box.xmax > right or box.ymax > bottom,
        f"reach outside the photo of {right} × {bottom} pixels",
    )


def _reversed(labelled: _Labelled) -> Finding | None:
    return _bad_boxes(
        labelled,
        lambda box: box.xmax < box.xmin or box.ymax < box.ymin,
        "are reversed, with min above max",
    )


def _empty(labelled: _Labelled) -> Finding | None:
    return _bad_boxes(
        labelled,
        lambda box: box.xmax == box.xmin or box.ymax == box.ymin,
        "are empty, without width or height",
    )


def _bad_boxes(labelled: _Labelled, bad: Callable[[Box], bool], how: str) -> Finding | None:
    boxes = enumerate(labelled.annotation.boxes, start=1)
    numbers = [str(number) for number, box in boxes if bad(box)]
    if not numbers:
        return None
    listed = ", ".join(numbers[:_LISTED]) + (", ..." if len(numbers) > _LISTED else "")
    total = len(labelled.annotation.boxes)
    problem = f"{len(numbers)} of its {total} boxes (number {listed}) {how}."
    return Finding(labelled.xml, problem, "Draw them again in labelImg and save.")


_CHECKS = (_wrong_filename, _wrong_size, _outside, _reversed, _empty)
