"""Labels come from other programs into a folder of photos with XML beside them, and go to others.

Everything is read and compared before the first file is written, and no file is ever replaced.
"""

import filecmp
import math
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.box_checks import taking_part
from cellcount.labels.checks import check, refuse_errors
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.sources import detected, opened
from cellcount.labels.writing import (
    UNCONFIRMED,
    Moved,
    copy,
    moved,
    refuse_full,
    unwritable,
    write_labels,
)
from cellcount.photos.reading import is_photo


def import_labels(
    source: str | Path,
    folder: str | Path,
    format: str | None = None,
    *,
    label: str = "cell",
    diameter: float | None = None,
    split: bool = False,
) -> Moved:
    """Bring labels of another program into a folder, with an XML beside each photo.

    It prints what is left out or was taken for granted.

    Args:
        source: a folder or a zip with labels, and photos if they are not in ``folder`` yet; or a
            file of labels. It stays as it is.
        folder: gets the XML, and the photos that it has not.
        format: one of ``FORMATS``; None finds it out.
        label: class of cells whose labels name none.
        diameter: of a cell that is marked by a point, in pixels.
        split: whether the connected parts of a mask are cells.

    Raises:
        CellCountError: something is missing, damaged, ambiguous or there already; nothing is
            written then.
    """
    folder = Path(folder)
    if diameter is not None and not 0 < diameter < math.inf:
        raise CellCountError(f"A diameter of {diameter:g} means nothing: give it in pixels, as 24.")
    if not label.strip():
        raise CellCountError('A class needs a name: give one, as --label "yeast".')
    with opened(Path(source)) as root:
        module, paths = detected(root, format)
        without = [path for path in paths if is_photo(path)]
        photos = Photos(folder, root, without=without, label=label, diameter=diameter, split=split)
        found = _unconfirmed(_apart(module.read(paths, photos), folder), photos)
        if not found:
            raise CellCountError(f"{source} holds no labels. Choose another folder or format.")
        _refuse_clashes(found, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for one in found:
                photo = folder / one.annotation.filename
                if not photo.exists():
                    copy(one.photo, photo)
                if not photo.with_suffix(".xml").exists():
                    voc.write(photo.with_suffix(".xml"), one.annotation)
        except OSError as error:
            raise unwritable(folder, error) from error
    for note in photos.notes:
        print(note)
    return moved([one.annotation for one in found])


def export_labels(folder: str | Path, target: str | Path, format: str) -> Moved:
    """Copy labelled photos and their labels, in the layout of ``format``, into a new folder.

    What a model drew and nobody has confirmed is left out. Photos are copied as they are: who reads
    them must turn them upright by their EXIF tag.

    Args:
        folder: photos with XML beside them.
        target: folder to make.
        format: one of ``WRITTEN``.

    Raises:
        CellCountError: the labels hold mistakes, or ``target`` is there already.
    """
    target = Path(target)
    refuse_full(target)
    checked = check(folder)
    refuse_errors(checked)
    labelled = [Boxed(one.photo, one.annotation) for one in taking_part(checked.labelled)]
    if not labelled:
        raise CellCountError(f"No photo in {folder} has labels: there is nothing to export.")
    return write_labels(labelled, target, format)


def _apart(found: Sequence[Foreign], folder: Path) -> list[Foreign]:
    """Photos of one name but for folder and suffix get the names of their folders in front.

    Names that differ in case only are one: so they are for Windows and macOS.
    """
    named: dict[str, set[Path]] = defaultdict(set)
    for one in found:
        named[one.photo.stem.casefold()].add(one.photo.absolute())
    apart = []
    for one in found:
        alike = named[one.photo.stem.casefold()]
        clash = len(alike) > 1 and one.photo.parent != folder
        apart.append(_with_folders(one, alike) if clash else one)
    return apart


def _with_folders(one: Foreign, alike: Collection[Path]) -> Foreign:
    """Named by its path from the folder that all of some photos are in."""
    path = one.photo.absolute().relative_to(os.path.commonpath([path.parent for path in alike]))
    return one._replace(annotation=replace(one.annotation, filename="-".join(path.parts)))


def _unconfirmed(found: Sequence[Foreign], photos: Photos) -> list[Foreign]:
    """What a model drew, as a file in a folder above says, does not pass for a person's work."""
    kept = [_models(one) if _is_models(one) else one for one in found]
    if models := sum(mine != theirs for mine, theirs in zip(kept, found, strict=True)):
        photos.notes.append(
            f"{models} of {len(kept)} photos have boxes of a model: they take no part until you "
            f"confirm them (in labelImg: space). If you have checked them, delete {UNCONFIRMED} in "
            "the folder that you import, and import that into a new folder."
        )
    return kept


def _is_models(one: Foreign) -> bool:
    unsaid = one.annotation.verified is None
    return unsaid and any((folder / UNCONFIRMED).exists() for folder in one.said_by.parents)


def _models(one: Foreign) -> Foreign:
    return one._replace(annotation=replace(one.annotation, verified=False))


def _refuse_clashes(found: Sequence[Foreign], folder: Path) -> None:
    labels: dict[str, Foreign] = {}
    for one in found:
        photo = folder / one.annotation.filename
        xml = photo.with_suffix(".xml")
        if xml.exists() and not _says(xml, one.annotation):
            raise CellCountError(
                f"{xml} is there already and is not replaced: move it away, or import into a new "
                "folder."
            )
        if photo.exists() and not filecmp.cmp(photo, one.photo, shallow=False):
            raise CellCountError(
                f"{photo} is there already and differs from {one.photo}: rename one of them and "
                "its labels, or import into a new folder."
            )
        alike = [path for path in folder.glob(f"{escape(photo.stem)}.*") if is_photo(path)]
        if other_photo := next((path for path in alike if path.name != photo.name), None):
            raise CellCountError(
                f"{other_photo} is there already, and the labels of {photo.name} would pass for "
                "its own: rename one of the two photos, or import into a new folder."
            )
        if other := labels.get(photo.stem.casefold()):
            both = f"{other.said_by} and {one.said_by} both label"
            if other.said_by == one.said_by:
                both = f"{one.said_by} has two entries for"
            raise CellCountError(
                f"{both} a photo named {photo.stem} ({other.photo} and {one.photo}): rename one of "
                "the photos and its labels, or remove one of the two."
            )
        labels[photo.stem.casefold()] = one


def _says(xml: Path, annotation: voc.Annotation) -> bool:
    """Whether the XML is there from an import that broke off."""
    try:
        return voc.read(xml) == annotation
    except voc.AnnotationError:
        return False
