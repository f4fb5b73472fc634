"""What is read and written: a photo with its labels, in the frame of the upright photo."""

from pathlib import Path
from typing import NamedTuple

from cellcount.errors import CellCountError
from cellcount.labels.formats.frame import Corners, stored, turned
from cellcount.labels.outlines import Outline
from cellcount.labels.voc import Annotation
from cellcount.photos.reading import photo_size, photo_turn


class Boxed(NamedTuple):
    """A photo and its labels, to be written; the annotation has the name under which it is kept."""

    photo: Path
    annotation: Annotation

    @property
    def stem(self) -> str:
        """The name of its file of labels, without suffix."""
        return Path(self.annotation.filename).stem

    @property
    def stored(self) -> list[tuple[str, Corners, Outline]]:
        """Class, corners and outline of each box on the photo as it is stored, unturned.

        Raises:
            PhotoError: the photo cannot be read.
        """
        turn, size = photo_turn(self.photo), (self.annotation.width, self.annotation.height)
        return [
            (
                box.label,
                stored((box.xmin, box.ymin, box.xmax, box.ymax), turn, size),
                turned(box.fitting, stored, turn, size),
            )
            for box in self.annotation.boxes
        ]


class Foreign(NamedTuple):
    """A photo, and what a file of another format says about it."""

    photo: Path
    annotation: Annotation
    said_by: Path


def upright_size(photo: Path, stated: tuple[int, int] | None, said_by: Path) -> tuple[int, int]:
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
