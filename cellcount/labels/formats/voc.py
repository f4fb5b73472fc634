"""The tree of Pascal VOC: Annotations/, JPEGImages/, ImageSets/Main/; CVAT and Label Studio zip it.

On reading, the XML may lie anywhere: Label Studio's name the photo without its suffix, CVAT's in
subfolders. What an XML lacks, the photo tells: its name and size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cellcount.labels import voc
from cellcount.labels.formats.content import by_file
from cellcount.labels.formats.foreign import Boxed, Foreign, upright_size
from cellcount.labels.formats.photos import Photos
from cellcount.labels.xml import root_tag

IMAGES = "JPEGImages"
_LABELS = Path("Annotations")
_LIST = Path("ImageSets", "Main", "default.txt")


def mine(path: Path) -> bool:
    """Whether a file is Pascal VOC, perhaps damaged; the XML of other programs is not."""
    return path.suffix.lower() == ".xml" and root_tag(path) in ("annotation", None)


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    annotation = voc.read(path, loose=True)
    named = Path(annotation.filename.replace("\\", "/"))
    known = [name for name in (named.name, named.stem, path.stem) if photos.has(name)]
    wanted = str(named.with_name(known[0])) if known else annotation.filename
    photo = photos.find(wanted, path)
    size = upright_size(photo, (annotation.width, annotation.height), path)
    whole = replace(annotation, filename=photo.name, width=size[0], height=size[1], lacks=())
    yield Foreign(photo, whole, path)


read = by_file(_read, "Pascal VOC")


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write the XML and the list of photos; the photos are copied by who calls."""
    (target / _LABELS).mkdir(parents=True)
    (target / _LIST).parent.mkdir(parents=True)
    stems = [Path(annotation.filename).stem for _, annotation in labelled]
    for stem, (_, annotation) in zip(stems, labelled, strict=True):
        voc.write(target / _LABELS / f"{stem}.xml", annotation)
    (target / _LIST).write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
