"""What the readers of all formats share: finding the photo of a label, and trusting its size."""

import filecmp
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cellcount.errors import CellCountError
from cellcount.labels.formats.shapes import Shape
from cellcount.labels.voc import Annotation, Box
from cellcount.photos.reading import is_photo, photo_size

_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the name of an upload


class Boxed(NamedTuple):
    """A photo and its labels, to be written; the annotation has the name under which it is kept."""

    photo: Path
    annotation: Annotation


class Foreign(NamedTuple):
    """A photo, and what a file of another format says about it."""

    photo: Path
    annotation: Annotation
    said_by: str


class Photos:
    """The photos that labels may be of, and what is to be taken where the labels leave it open.

    ``notes`` is what the user should be told once the labels are in.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        *,
        without: Collection[Path] = (),
        label: str = "cell",
        diameter: float | None = None,
        split: bool = False,
    ) -> None:
        """Look for photos in two folders and all their subfolders.

        Args:
            folder: that is imported into; of two photos with the same content, its one is taken.
            root: that holds the labels.
            without: files that look like photos, but are labels.
            label: class of cells whose labels name none.
            diameter: of a cell that is marked by a point, in pixels.
            split: whether the connected parts of a mask are cells.
        """
        self.root, self.label, self.diameter, self.split = root, label, diameter, split
        self.notes: list[str] = []
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._in_any_case: dict[str, list[Path]] = defaultdict(list)
        self.found: list[Path] = []
        seen = {path.resolve() for path in without}
        for path in (path for top in (folder, root) for path in sorted(top.rglob("*"))):
            if is_photo(path) and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                self.found.append(path)
                for name in {path.name, path.stem}:
                    self._by_name[name].append(path)
                    self._in_any_case[name.casefold()].append(path)

    def has(self, stem: str) -> bool:
        """Whether there is a photo of this name, without regard to its suffix."""
        return stem in self._by_name

    def find(self, name: str, said_by: object) -> Path:
        """The photo that a label names, with or without folders and suffix.

        Raises:
            CellCountError: there is none, or there are several that differ.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts or ("",)
        for wanted in (parts[-1], _PREFIX.sub("", parts[-1])):
            found = self._by_name.get(wanted) or self._in_any_case.get(wanted.casefold())
            if found:
                break
        else:
            raise CellCountError(
                f"{said_by} labels the photo {parts[-1]}, which is nowhere: export the labels "
                "together with the photos, or put the photos into the folder to import into."
            )
        most = max(_shared(path.parts, parts) for path in found)
        found = [path for path in found if _shared(path.parts, parts) == most]
        for other in found[1:]:
            if not filecmp.cmp(found[0], other, shallow=False):
                raise CellCountError(
                    f"{said_by} labels the photo {parts[-1]}, but there are two that differ, "
                    f"{found[0]} and {other}: rename one of them and its labels."
                )
        return found[0]

    def of_file(self, path: Path) -> Path:
        """The photo of labels that name none: that of the file's own name, or the only one.

        What a program adds to the name, as in ``photo_cp_masks.png``, is passed over.

        Raises:
            CellCountError: it is unclear which.
        """
        stems = {photo.stem for photo in self.found}
        like = [one for one in stems if re.match(rf"{re.escape(one)}(?![^\W_])", path.name)]
        if like:
            return self.find(max(like, key=len), path)
        if len(self.found) == 1:
            return self.found[0]
        raise CellCountError(
            f"{path} does not say which photo it labels: give it the photo's name, or put it into "
            "a folder with that photo alone."
        )

    def labelled(
        self,
        photo: Path,
        stated: tuple[int, int] | None,
        shapes: Iterable[Shape],
        said_by: object,
        verified: bool | None = None,
    ) -> Foreign:
        """A photo and its boxes in whole pixels.

        Args:
            photo: file.
            stated: the (width, height) that the labels say; None if they do not.
            shapes: what marks its cells.
            said_by: file that holds the labels.
            verified: as an annotation has it.

        Raises:
            CellCountError: the size is another than the photo's, or a point has no diameter.
        """
        size = upright_size(photo, stated, said_by)
        boxes = tuple(self._box(shape, said_by) for shape in shapes)
        return Foreign(photo, Annotation(photo.name, *size, boxes, verified), str(said_by))

    def _box(self, shape: Shape, said_by: object) -> Box:
        if shape.point:
            if self.diameter is None:
                raise CellCountError(
                    f"{said_by} marks cells by points: say how many pixels a cell is wide, with "
                    "--diameter."
                )
            half = self.diameter / 2
            shape = shape._replace(
                xmin=shape.xmin - half,
                ymin=shape.ymin - half,
                xmax=shape.xmax + half,
                ymax=shape.ymax + half,
            )
        xmin, ymin, xmax, ymax = map(round, shape[1:5])
        label = shape.label or self.label
        return Box(label, xmin, ymin, xmax, ymax, shape.truncated, shape.difficult)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many folders above their file two paths have in common."""
    number = 0
    while number < min(len(one), len(other)) - 1 and one[-2 - number] == other[-2 - number]:
        number += 1
    return number


def upright_size(photo: Path, stated: tuple[int, int] | None, said_by: object) -> tuple[int, int]:
    """The photo's (width, height), if it is the one in which its boxes were drawn.

    Args:
        photo: file.
        stated: what the labels say; None or zeros if they do not, as YOLO's.
        said_by: file that holds the labels.

    Raises:
        CellCountError: the sizes differ, or the photo cannot be read.
    """
    true = photo_size(photo)
    if stated is None or 0 in stated or stated == true:
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
