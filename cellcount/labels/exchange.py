"""Labels come from other programs into a folder of photos with XML beside them, and go to others.

Everything is read and compared before the first file is written, and no file is ever replaced.
"""

import filecmp
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.labels import voc
from cellcount.labels.box_checks import taking_part
from cellcount.labels.checks import check, refuse_errors
from cellcount.labels.formats import FORMATS
from cellcount.labels.formats.foreign import Foreign, Photos

_LARGEST_ZIP = 20e9  # bytes once unpacked


class Moved(NamedTuple):
    """How many photos and boxes were imported or exported, and how many photos have no box."""

    photos: int
    boxes: int
    empty: int


def import_labels(source: str | Path, folder: str | Path, format: str | None = None) -> Moved:
    """Bring labels of another program into a folder, with an XML beside each photo.

    Args:
        source: a folder or a zip with labels, and photos if they are not in ``folder`` yet; or a
            COCO JSON. It stays as it is.
        folder: gets the XML, and the photos that it has not.
        format: one of ``FORMATS``; None finds it out.

    Raises:
        CellCountError: something is missing, damaged, ambiguous or there already; nothing is
            written then.
    """
    folder = Path(folder)
    with _opened(Path(source)) as root:
        module = _module(format) if format else _detected(root)
        found = module.read(root, Photos([folder, _around(root)]))
        if not found:
            raise CellCountError(f"{source} holds no labels. Choose another folder or format.")
        _refuse_clashes(found, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for one in found:
                photo = folder / one.photo.name
                if not photo.exists():
                    _copy(one.photo, photo)
                if not photo.with_suffix(".xml").exists():
                    voc.write(photo.with_suffix(".xml"), one.annotation)
        except OSError as error:
            raise _unwritable(folder, error) from error
    return _moved([one.annotation for one in found])


def export_labels(folder: str | Path, target: str | Path, format: str) -> Moved:
    """Copy labelled photos and their labels, in the layout of ``format``, into a new folder.

    What a model drew and nobody has confirmed is left out. Photos are copied as they are: who reads
    them must turn them upright by their EXIF tag.

    Args:
        folder: photos with XML beside them.
        target: folder to make.
        format: one of ``FORMATS``.

    Raises:
        CellCountError: the labels hold mistakes, or ``target`` is there already.
    """
    target = Path(target)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise CellCountError(f"{target} is there already and is not replaced: choose a new folder.")
    checked = check(folder)
    refuse_errors(checked)
    labelled = taking_part(checked.labelled)
    if not labelled:
        raise CellCountError(f"No photo in {folder} has labels: there is nothing to export.")
    module = _module(format)
    try:
        (target / module.IMAGES).mkdir(parents=True)
        module.write(labelled, target)
        for one in labelled:
            _copy(one.photo, target / module.IMAGES / one.photo.name)
    except OSError as error:
        raise _unwritable(target, error) from error
    return _moved([one.annotation for one in labelled])


def _module(format: str) -> ModuleType:
    return import_module(f"cellcount.labels.formats.{format}")


def _detected(root: Path) -> ModuleType:
    modules = {name: _module(name) for name in FORMATS}
    found = {name: files for name, module in modules.items() if (files := module.files(root))}
    if len(found) == 1:
        return modules[next(iter(found))]
    known = "COCO (a JSON), YOLO (text files and classes.txt or data.yaml) or Pascal VOC (XML)"
    if not found:
        raise CellCountError(f"{root} holds no labels that are known: {known}.")
    several = ", ".join(f"{name} ({files[0].name})" for name, files in found.items())
    raise CellCountError(f"{root} holds several formats, {several}: say which with --format.")


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """The folder or JSON that holds the labels; of a zip, a temporary folder of what was in it."""
    if source.is_dir() or (source.suffix.lower() == ".json" and source.is_file()):
        yield source
    elif source.suffix.lower() == ".zip" and source.is_file():
        with tempfile.TemporaryDirectory() as unpacked:
            _unpack(source, Path(unpacked))
            yield Path(unpacked)
    else:
        raise CellCountError(f"{source} is no folder, zip or JSON. Check its name.")


def _around(root: Path) -> Path:
    """The folder where the photos may be: CVAT puts the JSON into a subfolder beside theirs."""
    if root.is_dir():
        return root
    return root.parent.parent if root.parent.name == "annotations" else root.parent


def _unpack(source: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST_ZIP:
                raise CellCountError(
                    f"{source} would unpack to over {_LARGEST_ZIP / 1e9:.0f} GB: unpack it by hand "
                    "if you trust it, and import the folder."
                )
            archive.extractall(target)  # leaves out .. and leading slashes
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise CellCountError(
            f"{source} cannot be unpacked ({error}): export or download it again."
        ) from error


def _refuse_clashes(found: Sequence[Foreign], folder: Path) -> None:
    labels: dict[str, Foreign] = {}
    for one in found:
        photo = folder / one.photo.name
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
        if other := labels.get(one.photo.stem):
            raise CellCountError(
                f"{other.said_by} and {one.said_by} both label a photo named {one.photo.stem}: "
                "remove or rename one of them."
            )
        labels[one.photo.stem] = one


def _says(xml: Path, annotation: voc.Annotation) -> bool:
    """Whether the XML is there from an import that broke off."""
    try:
        return voc.read(xml) == annotation
    except voc.AnnotationError:
        return False


def _copy(photo: Path, target: Path) -> None:
    with replacing(target) as part:
        shutil.copyfile(photo, part)


def _moved(annotations: Sequence[voc.Annotation]) -> Moved:
    boxes = [len(annotation.boxes) for annotation in annotations]
    return Moved(len(boxes), sum(boxes), boxes.count(0))


def _unwritable(folder: Path, error: OSError) -> CellCountError:
    return CellCountError(
        f"{folder} cannot be written to ({error.strerror}). Choose a folder that you may write to "
        "and that has room."
    )
