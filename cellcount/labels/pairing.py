"""Which XML labels which photo in a folder, and what is wrong with the files as such.

Every photo is decoded to its end: a photo that was cut short in copying has a faultless header, and
would stop the training when its turn comes.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellcount.bars import Bar
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.findings import AnnotationError, Finding
from cellcount.labels.voc import Annotation
from cellcount.photos.reading import PhotoError, is_photo, photo_size, read_photo

_SMALL = 256  # pixels a side; a JPEG is decoded to the end, and in half the time
_SOON = 3.0  # seconds without a progress bar: most folders are done by then


@dataclass(frozen=True)
class Labelled:
    """An XML, what it says, the photo that it labels, and the upright photo's true size."""

    xml: Path
    annotation: Annotation
    photo: Path
    width: int
    height: int


def pair(folder: str | Path) -> tuple[list[Labelled], list[Finding]]:
    """Read every XML and every photo of a folder, and put together what shares a name.

    Returns:
        The pairs whose both files can be read, and what is wrong with the rest.

    Raises:
        CellCountError: there is no such folder, or it holds neither photos nor XML.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellCountError(f"There is no folder {folder}. Check its name.")
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    xmls = [path for path in entries if path.suffix.lower() == ".xml"]
    photos: dict[str, list[Path]] = defaultdict(list)
    for path in filter(is_photo, entries):
        photos[path.stem].append(path)
    if not xmls and not photos:
        raise CellCountError(
            f"{folder} holds neither photos nor XML. Choose the labelled folder; if they lie in "
            f"folders of their own, bring them together: cellcount import {folder} NEW-FOLDER"
        )
    nested = list(_nested(folder, entries))
    sizes, findings = _sizes([path for same in photos.values() for path in same])
    findings += nested
    labelled = []
    for xml in xmls:
        try:
            annotation = voc.read(xml, loose=True)
        except AnnotationError as error:
            findings.append(error.finding)
            continue
        cure = "cellcount check --fix puts in what the photo or the outline tells."
        findings += [Finding(xml, problem, cure) for problem in annotation.lacks]
        candidates = photos.get(xml.stem, [])
        findings += _misnamed(xml, candidates)
        photo = _photo_of(annotation, candidates)
        if photo in sizes:
            labelled.append(Labelled(xml, annotation, photo, *sizes[photo]))
    return labelled, [*findings, *_unlabelled(photos, {xml.stem for xml in xmls})]


def _photo_of(annotation: Annotation, candidates: Sequence[Path]) -> Path | None:
    named = (photo for photo in candidates if photo.name == annotation.filename)
    return next(named, candidates[0] if len(candidates) == 1 else None)


def _sizes(photos: Sequence[Path]) -> tuple[dict[Path, tuple[int, int]], list[Finding]]:
    """Upright (width, height) of the photos that can be decoded, and what is wrong with others."""
    sizes, findings = {}, []
    for photo in Bar(photos, "Reading photos", unit="photo", leave=False, delay=_SOON):
        try:
            if photo.exists() and not photo.is_file():
                problem = "It has the name of a photo, but is no file."
                raise PhotoError(photo, problem, "Rename it or move it out of the folder.")
            sizes[photo] = photo_size(photo)
            read_photo(photo, shrink_to=_SMALL)
        except PhotoError as error:
            sizes.pop(photo, None)
            findings.append(Finding(error.file, error.problem, error.cure))
    return sizes, findings


def _nested(folder: Path, entries: Iterable[Path]) -> Iterator[Finding]:
    """Subfolders with XML: IceVision's parser looks into them, and doubles the boxes of a photo."""
    for inner in entries:
        if inner.is_dir() and inner.suffix.lower() != ".xml":
            found = (name for _, _, names in os.walk(inner.resolve()) for name in names)
            if any(name.lower().endswith(".xml") for name in found):
                problem = "This subfolder holds XML, which the training would read as well."
                cure = f"Move it out of {folder}."
                yield Finding(inner, problem, cure)


def _misnamed(xml: Path, photos: Sequence[Path]) -> Iterator[Finding]:
    if xml.suffix != ".xml":
        problem = f"Its name ends in {xml.suffix}, which is overlooked by half of the programs."
        yield Finding(xml, problem, f"Rename it to {xml.stem}.xml.")
    if not photos:
        problem = f"There is no photo named {xml.stem} beside it."
        cure = "Put the photo there, give both the same name, or delete the XML."
        yield Finding(xml, problem, cure)
    if len(photos) > 1:
        names = " and ".join(photo.name for photo in photos)
        problem = f"It is unclear which photo it labels: {names} share its name."
        yield Finding(xml, problem, "Rename or move all but one of them.")


def _unlabelled(photos: Mapping[str, Sequence[Path]], labelled: set[str]) -> Iterator[Finding]:
    for stem in photos.keys() - labelled:
        for photo in photos[stem]:
            problem = "The photo has no XML, so it takes no part in the training."
            yield Finding(photo, problem, "Label it in labelImg if it should.", severity="note")
