"""The tree of Pascal VOC: Annotations/, JPEGImages/, ImageSets/Main/; CVAT and Label Studio zip it.

On reading, the XML may lie anywhere: Label Studio's name the photo without its suffix, CVAT's in
subfolders. What an XML lacks, the photo tells: its name and size.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellcount.labels import voc
from cellcount.labels.formats.foreign import Boxed, Foreign, Photos, upright_size
from cellcount.labels.xml import root_tag

IMAGES = "JPEGImages"
_LABELS = Path("Annotations")
_LIST = Path("ImageSets", "Main", "default.txt")


def mine(path: Path) -> bool:
    """Whether a file is Pascal VOC, perhaps damaged; the XML of other programs is not."""
    return path.suffix.lower() == ".xml" and root_tag(path) in ("annotation", None)


def read(paths: Sequence[Path], photos: Photos) -> list[Foreign]:
    """Every XML.

    Raises:
        CellCountError: one is damaged or its photo is missing.
    """
    return [_read(path, photos) for path in paths]


def _read(path: Path, photos: Photos) -> Foreign:
    annotation = voc.read(path, loose=True)
    named = Path(annotation.filename.replace("\\", "/"))
    known = [name for name in (named.name, named.stem, path.stem) if photos.has(name)]
    photo = photos.find(known[0] if known else annotation.filename or path.stem, path)
    size = upright_size(photo, (annotation.width, annotation.height), path)
    whole = replace(annotation, filename=photo.name, width=size[0], height=size[1], lacks=())
    return Foreign(photo, whole, str(path))


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write the XML and the list of photos; the photos are copied by who calls."""
    (target / _LABELS).mkdir(parents=True)
    (target / _LIST).parent.mkdir(parents=True)
    stems = [Path(annotation.filename).stem for _, annotation in labelled]
    for stem, (_, annotation) in zip(stems, labelled, strict=True):
        voc.write(target / _LABELS / f"{stem}.xml", annotation)
    (target / _LIST).write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
