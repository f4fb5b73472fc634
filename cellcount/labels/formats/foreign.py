"""What the readers of all formats share: finding the photo of a label, and trusting its size."""

import filecmp
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cellcount.errors import CellCountError
from cellcount.labels.voc import Annotation, Box
from cellcount.photos.reading import is_photo, photo_size

_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the name of an upload


class Foreign(NamedTuple):
    """A photo, and what a file of another format says about it."""

    photo: Path
    annotation: Annotation
    said_by: str


class Photos:
    """The photos in some folders and all their subfolders, by name."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Look for photos; of two with the same content, that of an earlier folder is taken."""
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        seen = set()
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if is_photo(path) and path.is_file() and path.resolve() not in seen:
                    seen.add(path.resolve())
                    for name in (path.name, path.stem):
                        self._by_name[name].append(path)

    def has(self, stem: str) -> bool:
        """Whether there is a photo of this name, without regard to its suffix."""
        return stem in self._by_name

    def find(self, name: str, said_by: str) -> Path:
        """The photo that a label names, with or without folders and suffix.

        Raises:
            CellCountError: there is none, or there are several that differ.
        """
        last = PurePosixPath(name.replace("\\", "/")).name
        for wanted in (last, _PREFIX.sub("", last)):
            if found := self._by_name.get(wanted):
                break
        else:
            raise CellCountError(
                f"{said_by} labels the photo {last}, which is nowhere: export the labels together "
                "with the photos, or put the photos into the folder to import into."
            )
        for other in found[1:]:
            if not filecmp.cmp(found[0], other, shallow=False):
                raise CellCountError(
                    f"{said_by} labels the photo {last}, but there are two that differ, {found[0]} "
                    f"and {other}: rename one of them and its labels."
                )
        return found[0]


def upright_size(photo: Path, stated: tuple[int, int] | None, said_by: str) -> tuple[int, int]:
    """The photo's (width, height), if it is the one in which its boxes were drawn.

    Args:
        photo: file.
        stated: what the labels say; None if they do not, as YOLO's.
        said_by: file that holds the labels.

    Raises:
        CellCountError: the sizes differ, or the photo cannot be read.
    """
    true = photo_size(photo)
    if stated in (None, true):
        return true
    why = "it was resized or exchanged after labelling: bring the labelled photo back."
    if stated == true[::-1]:
        why = (
            "it was labelled without regard to the camera's EXIF rotation: export it from a "
            "program that shows it upright."
        )
    raise CellCountError(
        f"{said_by} says that {photo.name} has {stated[0]} × {stated[1]} pixels, but upright it "
        f"has {true[0]} × {true[1]}, so {why}"
    )


def whole_box(label: str, xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
    """A box in whole pixels."""
    return Box(label, round(xmin), round(ymin), round(xmax), round(ymax))
