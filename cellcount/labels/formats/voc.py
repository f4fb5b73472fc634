"""The tree of Pascal VOC: Annotations/, JPEGImages/, ImageSets/Main/; CVAT and Label Studio zip it.

On reading, the XML may lie anywhere: Label Studio's name the photo without its suffix, CVAT's in
subfolders.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import defusedxml.ElementTree

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.formats.foreign import Foreign, Photos, upright_size
from cellcount.labels.pairing import Labelled

IMAGES = "JPEGImages"
_LABELS = Path("Annotations")
_LIST = Path("ImageSets", "Main", "default.txt")


def files(root: Path) -> list[Path]:
    """The XML under ``root``; CVAT's own kind, which is another one, is refused.

    Raises:
        CellCountError: an XML is CVAT's own.
    """
    found = sorted(path for path in root.rglob("*.xml") if not path.name.startswith("."))
    for path in found:
        if path.name == "annotations.xml" and _root_tag(path) == "annotations":
            raise CellCountError(
                f"{path} is in CVAT's own format: export it from CVAT as PASCAL VOC, COCO or YOLO."
            )
    return found


def _root_tag(path: Path) -> str:
    try:
        return str(defusedxml.ElementTree.parse(path).getroot().tag)
    except Exception:  # reading it will say what is wrong
        return ""


def read(root: Path, photos: Photos) -> list[Foreign]:
    """Every XML under ``root``.

    Raises:
        CellCountError: one is damaged or its photo is missing.
    """
    return [_read(path, photos) for path in files(root)]


def _read(path: Path, photos: Photos) -> Foreign:
    annotation = voc.read(path)
    named = Path(annotation.filename.replace("\\", "/"))
    known = [name for name in (named.name, named.stem, path.stem) if photos.has(name)]
    photo = photos.find(known[0] if known else annotation.filename, str(path))
    upright_size(photo, (annotation.width, annotation.height), str(path))
    return Foreign(photo, replace(annotation, filename=photo.name), str(path))


def write(labelled: Sequence[Labelled], target: Path) -> None:
    """Write the XML and the list of photos; the photos are copied by who calls."""
    (target / _LABELS).mkdir(parents=True)
    (target / _LIST).parent.mkdir(parents=True)
    for one in labelled:
        voc.write(target / _LABELS / one.xml.name, one.annotation)
    stems = "".join(f"{one.photo.stem}\n" for one in labelled)
    (target / _LIST).write_text(stems, encoding="utf-8")
