"""The error of a photo that cannot be read, and what is said of each way in which that happens."""

import stat
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cellcount.errors import CellCountError
from cellcount.files import printable

MAX_MEGAPIXELS = 200  # of a photo that is read as a whole
_MAX_IN_PARTS = 100_000  # megapixels; the largest slides have a tenth of that
MAX_PICTURES = 100_000

COPY_AGAIN = "Copy it again from the camera or the microscope."
SAVE_ANEW = "Open it in the program that made it and save it as JPEG, PNG or 8-bit TIFF."


class PhotoError(CellCountError):
    """A photo that cannot be read: which one, why, and what to do about it."""

    def __init__(self, file: str | Path, problem: str, cure: str) -> None:
        """Take the file, or an address, and a plain sentence each for the problem and its cure."""
        super().__init__(file, problem, cure)
        self.file, self.problem, self.cure = Path(file), problem, cure

    def __str__(self) -> str:
        """Say it as one line."""
        return f"{printable(self.args[0])}: {self.problem} {self.cure}"


def check_file(path: Path) -> None:
    """Refuse what is no file, before it is opened.

    Raises:
        PhotoError: it is a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it says why
        return
    if not stat.S_ISREG(mode):
        problem = "It cannot be read: it is no file but a folder, a pipe or a device."
        raise PhotoError(path, problem, "Leave it out.")


class LargePhotoError(PhotoError):
    """A photo that is too large for memory, and counted all the same: in parts."""

    def __init__(self, file: Path) -> None:
        """Take the file."""
        problem = f"The photo has more than {MAX_MEGAPIXELS} megapixels, so it is only counted."
        super().__init__(file, problem, "For all else cut fields out of it.")


def is_large(width: int, height: int) -> bool:
    """Whether a photo of so many pixels is too large to be read as a whole."""
    return width * height > MAX_MEGAPIXELS * 1_000_000


def check_size(path: Path, width: int, height: int, *, in_parts: bool = False) -> None:
    """Refuse what is larger than memory should hold, before a pixel is decoded.

    Raises:
        PhotoError: the photo has more than ``MAX_MEGAPIXELS``, and cannot be read in parts, or it
            has no pixel.
    """
    if is_large(width, height) and not (in_parts and width * height <= _MAX_IN_PARTS * 1_000_000):
        raise too_large(path)
    if width * height == 0:
        raise PhotoError(path, "The photo has no pixels.", COPY_AGAIN)


def check_number(path: Path, pictures: int) -> None:
    """Refuse a file that claims more pictures than any holds, before they are listed.

    Raises:
        PhotoError: there are more than ``MAX_PICTURES``.
    """
    if pictures > MAX_PICTURES:
        problem = f"The file has more than {MAX_PICTURES} pictures, or claims so."
        raise PhotoError(path, problem, "Save it in parts.")


def too_large(path: Path) -> PhotoError:
    """The error of a photo beyond the limit."""
    problem = f"The photo has more than {MAX_MEGAPIXELS} megapixels, or claims so."
    return PhotoError(
        path, problem, "Save it as a tiled TIFF, of which any size is counted, or shrink it first."
    )


def explained(path: Path, error: Exception) -> PhotoError:
    """What a reading library has raised, in a sentence for the user; a PhotoError stays."""
    if isinstance(error, PhotoError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return too_large(path)
    if isinstance(error, MemoryError):
        said = "The photo does not fit into memory.", "Shrink it first."
    elif isinstance(error, OSError) and error.errno:
        problem = f"The file cannot be read ({error.strerror})."
        said = problem, "Check its name and that you may read it."
    elif path.stat().st_size == 0:
        said = "The file is empty.", COPY_AGAIN
    elif isinstance(error, UnidentifiedImageError) and path.suffix.lower() in (".heic", ".heif"):
        said = "HEIC is not read.", "Save it as JPEG; phones do, set to the most compatible format."
    elif isinstance(error, UnidentifiedImageError):
        problem = "The content is no JPEG, PNG, BMP, WebP or TIFF picture that can be read."
        said = problem, SAVE_ANEW
    else:
        why = " ".join(str(error).split())[:200]
        said = f"The photo is cut short or damaged ({why}).", COPY_AGAIN
    return PhotoError(path, *said)
