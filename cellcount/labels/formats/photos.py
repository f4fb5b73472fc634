"""The photos that labels are of: found by name, and given their boxes."""

import filecmp
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from cellcount.errors import CellCountError
from cellcount.labels.formats.foreign import Foreign, upright_size
from cellcount.labels.formats.shapes import Shape
from cellcount.labels.voc import LARGEST, Annotation, Box
from cellcount.photos.reading import is_photo, photo_turn

# What XML can hold (XML 1.0, 2.2), but for surrogates, which stand for what was no UTF-8.
_TEXT = re.compile("[\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]+")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the name of an upload


class Photos:
    """The photos that labels may be of, and what is to be taken where the labels leave it open.

    ``notes`` is what the user should be told once the labels are in.
    """

    def __init__(
        self,
        folder: Path,
        source: Path,
        *,
        without: Collection[Path] = (),
        label: str = "cell",
        diameter: float | None = None,
        split: bool = False,
    ) -> None:
        """Look for photos in two folders and all their subfolders.

        Args:
            folder: that is imported into; of two photos with the same content, its one is taken.
            source: the folder or the file that holds the labels.
            without: files that look like photos, but are labels.
            label: class of cells whose labels name none.
            diameter: of a cell that is marked by a point, in pixels.
            split: whether the connected parts of a mask are cells.
        """
        self.source, self.root = source, _around(source)
        self.label, self.diameter, self.split = label, diameter, split
        self.notes: list[str] = []
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._in_any_case: dict[str, list[Path]] = defaultdict(list)
        self.found: list[Path] = []
        seen = {path.resolve() for path in without}
        for path in (path for top in (folder, self.root) for path in sorted(top.rglob("*"))):
            if is_photo(path) and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                self.found.append(path)
                for name in {path.name, path.stem}:
                    self._by_name[name].append(path)
                    self._in_any_case[name.casefold()].append(path)

    def has(self, stem: str) -> bool:
        """Whether there is a photo of this name, without regard to its suffix."""
        return stem in self._by_name

    def find(self, name: str, said_by: Path) -> Path:
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
        near = [_nearness(path, parts, said_by) for path in found]
        found = [path for path, how in zip(found, near, strict=True) if how == max(near)]
        for other in found[1:]:
            if not filecmp.cmp(found[0], other, shallow=False):
                raise CellCountError(
                    f"{said_by} labels the photo {parts[-1]}, but there are two that differ, "
                    f"{found[0]} and {other}: rename one of them and its labels."
                )
        return found[0]

    def of_file(self, path: Path) -> Path:
        """The photo of labels that name none: that of their file's name, or the only one.

        What a program adds to the name, as in ``photo_cp_masks.png``, is passed over. A file of
        another name may lie in a folder that has the photo's.

        Raises:
            CellCountError: it is unclear which.
        """
        stems = {photo.stem for photo in self.found}
        like = [one for one in stems if re.match(rf"{re.escape(one)}(?![^\W_])", path.name)]
        if not like and path.parent.name in stems:
            like = [path.parent.name]
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
        said_by: Path,
        verified: bool | None = None,
        *,
        stored: bool = False,
    ) -> Foreign:
        """A photo and its boxes in whole pixels.

        Args:
            photo: file.
            stated: the (width, height) that the labels say; None if they do not.
            shapes: what marks its cells.
            said_by: file that holds the labels.
            verified: as an annotation has it.
            stored: the shapes lie on the photo as it is stored, not as its EXIF tag turns it.

        Raises:
            CellCountError: the size is another than the photo's, a point has no diameter, or a
                shape is none that an XML can hold.
        """
        size = upright_size(photo, stated, said_by)
        if stored and (turn := photo_turn(photo)) != 1:
            shapes = [one.turned(turn, size) for one in shapes]
        boxes = tuple(self._box(shape, said_by) for shape in shapes)
        return Foreign(photo, Annotation(photo.name, *size, boxes, verified), said_by)

    def _box(self, shape: Shape, said_by: Path) -> Box:
        if shape.point:
            if self.diameter is None:
                raise CellCountError(
                    f"{said_by} marks cells by points: say how many pixels a cell is wide, with "
                    "--diameter."
                )
            half = self.diameter / 2
            (x, y) = shape[1:3]
            shape = shape.at((x - half, y - half, x + half, y + half))
        xmin, ymin, xmax, ymax = map(round, shape[1:5])
        label = shape.label if shape.label.strip() else self.label
        if not _TEXT.fullmatch(label) or max(map(abs, (xmin, ymin, xmax, ymax))) > LARGEST:
            raise CellCountError(
                f"{said_by} has a cell {label[:40]!r} at {shape.xmin:g}, {shape.ymin:g}, which is "
                "no name or no place that an XML can hold: mend it, or export it again."
            )
        marks = shape.truncated, shape.difficult
        return Box(label, xmin, ymin, xmax, ymax, *marks, shape.outline)


def _around(source: Path) -> Path:
    """The folder where the photos may be: CVAT puts the JSON into a subfolder beside theirs."""
    if source.is_dir():
        return source
    return source.parent.parent if source.parent.name == "annotations" else source.parent


def _nearness(photo: Path, named: tuple[str, ...], said_by: Path) -> tuple[int, int, int]:
    """How much the folders of a photo have in common with its name, and with those of its labels.

    Labels and photos of one part of a set lie in folders that part above their own
    (``labels/train``, ``images/train``), or below (``train/labels``, ``train/images``).
    """
    common = os.path.commonpath([photo.resolve(), said_by.resolve()])
    return _shared(photo.parts, named), _shared(photo.parts, said_by.parts), len(Path(common).parts)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many folders above their file two paths have in common."""
    number = 0
    while number < min(len(one), len(other)) - 1 and one[-2 - number] == other[-2 - number]:
        number += 1
    return number
