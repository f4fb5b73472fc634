"""In which order a person looks at the photos of a folder: the most worthwhile first."""

from collections.abc import Sequence
from pathlib import Path

from cellcount.files import replacing
from cellcount.labels import voc
from cellcount.photos.reading import list_photos

ORDER = ".cellcount-order.txt"  # a file name a line


def write_order(folder: str | Path, photos: Sequence[Path]) -> None:
    """Keep the order of ``photos`` in their folder, for the programs that go through it."""
    with replacing(Path(folder) / ORDER) as part:
        part.write_text("".join(f"{photo.name}\n" for photo in photos), encoding="utf-8")


def in_order(folder: str | Path) -> list[Path]:
    """The photos of a folder, in the order that ``prelabel`` has kept; others follow by name.

    Raises:
        CellCountError: there is no such folder, or it holds no photo.
    """
    photos = list_photos(folder)
    try:
        lines = (Path(folder) / ORDER).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # mostly there is none, and any order will do
        lines = []
    place = {name.strip(): number for number, name in enumerate(lines)}
    return sorted(photos, key=lambda photo: place.get(photo.name, len(lines)))


def by_a_person(photo: Path) -> bool:
    """Whether the XML beside a photo holds a person's work: nothing may replace it unasked."""
    xmls = [photo.with_suffix(suffix) for suffix in (".xml", ".XML")]
    return any(xml.is_file() and not voc.unconfirmed(xml) for xml in xmls)
