"""Reading photos: every format a camera or a microscope writes, upright, as 8-bit RGB.

A photo is what :func:`is_photo` accepts by name and Pillow recognises by content: JPEG, PNG, BMP
or TIFF. Sizes are (width, height) in pixels of the upright photo, as its EXIF tag has it.
"""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from cellcount.errors import CellCountError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
MAX_MEGAPIXELS = 200

_BAND = 64  # rows that are copied at once; of a phone's photo, half a megabyte
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
_COPY_AGAIN = "Copy it again from the camera or the microscope."
_SAVE_ANEW = "Open it in the program that made it and save it as JPEG, PNG or 8-bit TIFF."
_SIDEWAYS = (5, 6, 7, 8)
_TURN_OF = {  # EXIF 2.32, tag 0x0112, as what has to be done to the stored pixels
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PhotoError(CellCountError):
    """A photo that cannot be read: which one, why, and what to do about it."""

    def __init__(self, file: Path, problem: str, cure: str) -> None:
        """Take the file, and a plain sentence each for the problem and its cure."""
        super().__init__(file, problem, cure)
        self.file, self.problem, self.cure = file, problem, cure

    def __str__(self) -> str:
        """Say it as one line."""
        return f"{self.file}: {self.problem} {self.cure}"


def is_photo(path: Path) -> bool:
    """Whether the name is a photo's: a known suffix in any case, and not hidden."""
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def list_photos(folder: str | Path) -> list[Path]:
    """List the photos right in the folder, in the order in which people count (2 before 10).

    Raises:
        CellCountError: there is no such folder, or it holds no photo.
    """
    folder = Path(folder)
    suffixes = " ".join(PHOTO_SUFFIXES)
    if not folder.is_dir():
        raise CellCountError(f"There is no folder {folder}. Check its name.")
    found = [path for path in folder.iterdir() if is_photo(path) and path.is_file()]
    if not found:
        raise CellCountError(
            f"{folder} holds no photo. Put some there: files that end in {suffixes} are read."
        )
    return sorted(found, key=_natural)


def photo_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of the upright photo from its header, without decoding pixels.

    Raises:
        PhotoError: the file is missing, empty, no photo, or larger than the limit.
    """
    with _opened(Path(path)) as image:
        return _upright_size(image, _orientation(image))


def photo_turn(path: str | Path) -> int:
    """EXIF's orientation of a photo, 1 to 8, which turns the stored pixels upright; 1 leaves them.

    Raises:
        PhotoError: the file is missing, empty, no photo, or larger than the limit.
    """
    with _opened(Path(path)) as image:
        turn = _orientation(image)
        return turn if turn in _TURN_OF else 1


def read_photo(path: str | Path, *, shrink_to: int | None = None) -> NDArray[np.uint8]:
    """Read a photo as an array of shape (height, width, 3), uint8, RGB, upright.

    Transparent parts are laid on white. Of several pages or frames the first is read, with a
    warning. Pixels of 16 bits are divided by the power of two that brings 99.9 % of them into
    0..255: that is the camera's own bit depth (10, 12, 14, 16), so black stays black, colours keep
    their balance, a few hot pixels change nothing, and photos of one series stay comparable.

    Args:
        path: a JPEG, PNG, BMP or TIFF file of at most 200 megapixels.
        shrink_to: the longest side wanted, in pixels; smaller photos are left as they are. A JPEG
            is then decoded at the 1/2, 1/4 or 1/8 that still has twice the wanted size, and the
            rest is resampled: quicker, and on phone photos 0.2 grey levels off on average.

    Raises:
        PhotoError: the file is missing, empty, no photo, damaged, or larger than the limit.
    """
    path = Path(path)
    with _opened(path) as image:
        several = image.format in ("TIFF", "PNG") and getattr(image, "is_animated", False)
        turn = _orientation(image)
        size = _upright_size(image, turn)
        if image.format == "TIFF":
            turn = 1  # its decoders turn it themselves
        wanted = _fitting(size, shrink_to) if shrink_to else size
        stored, part = wanted[::-1] if turn in _SIDEWAYS else wanted, None
        if wanted != size and (drafted := image.draft(None, (2 * stored[0], 2 * stored[1]))):
            part = drafted[1]  # its edges: rounding up has left a margin of less than a pixel
        image.load()
        picture = _rgb(path, image)
        if wanted != size:
            picture = picture.resize(stored, Image.Resampling.BICUBIC, box=part)
        if turn in _TURN_OF:
            picture = picture.transpose(_TURN_OF[turn])
        pixels = _pixels(picture)  # here, where Pillow's limit on any picture's size is ours
    if several:
        warnings.warn(f"{path} holds several pages; only the first is read.", stacklevel=2)
    return pixels


def pixels_of(photo: str | Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo (height, width, 3) that is given as such, or by its path.

    Raises:
        PhotoError: it cannot be read.
    """
    return photo if isinstance(photo, np.ndarray) else read_photo(photo)


_one_at_a_time = threading.Lock()


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """Open a photo under our limit instead of Pillow's, and explain whatever goes wrong."""
    with _one_at_a_time:  # Pillow's limit is a global that two threads must not swap at once
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_MEGAPIXELS * 1_000_000
        try:
            # Given a name, Pillow maps uncompressed TIFFs into memory and, up to 12.3 at least,
            # scrambles the sideways ones; given an open file it does not.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                    raise Image.DecompressionBombError
                yield image
        except PhotoError:
            raise
        except Exception as error:  # decoders raise anything when they are fed damaged files
            raise _explained(path, error) from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _explained(path: Path, error: Exception) -> PhotoError:
    if isinstance(error, Image.DecompressionBombError):
        problem = f"The photo has more than {MAX_MEGAPIXELS} megapixels, or claims so."
        return PhotoError(path, problem, "Cut it into parts or shrink it first.")
    if isinstance(error, MemoryError):
        return PhotoError(path, "The photo does not fit into memory.", "Shrink it first.")
    if isinstance(error, OSError) and error.errno:
        problem = f"The file cannot be read ({error.strerror})."
        return PhotoError(path, problem, "Check its name and that you may read it.")
    if path.stat().st_size == 0:
        return PhotoError(path, "The file is empty.", _COPY_AGAIN)
    if isinstance(error, UnidentifiedImageError):
        problem = "The content is no JPEG, PNG, BMP or TIFF picture of a kind that can be read."
        return PhotoError(path, problem, _SAVE_ANEW)
    return PhotoError(path, f"The photo is cut short or damaged ({error}).", _COPY_AGAIN)


def _orientation(image: ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8, from what stands before the pixels."""
    # PNG's own getexif() would decode the whole picture to look behind it.
    return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)


def _upright_size(image: ImageFile, turn: int) -> tuple[int, int]:
    # Of a TIFF, newer versions of Pillow have already swapped .size, older ones have not.
    width = _tag(image, ExifTags.Base.ImageWidth) or image.width
    height = _tag(image, ExifTags.Base.ImageLength) or image.height
    return (height, width) if turn in _SIDEWAYS else (width, height)


def _tag(image: Image.Image, tag: int) -> Any:
    """Return a TIFF's own tag; None if it is absent or the photo is no TIFF."""
    return image.tag_v2.get(tag) if isinstance(image, TiffImageFile) else None


def _fitting(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _rgb(path: Path, image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F"):
        problem = "The pixels are 32-bit or signed numbers, whose black and white nobody knows."
        raise PhotoError(path, problem, _SAVE_ANEW)
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        if _tag(image, ExifTags.Base.PhotometricInterpretation) == 0:  # white is zero
            values = values.max() - values
        return Image.fromarray(_eight_bits(values)).convert("RGB")
    if image.mode in ("RGB", "RGBA") and _bits_per_channel(path, image) == 16:
        image = _deep_colour(path, image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # which copies in any case
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """What ``np.array`` makes of an RGB picture, in a quarter of the time.

    Pillow hands out its pixels as bytes: of a whole photo they pass through memory three times, of
    a band at a time they stay in the processor's cache.
    """
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)))
    return pixels


def _bits_per_channel(path: Path, image: Image.Image) -> int:
    if image.format == "TIFF":
        return max(_tag(image, ExifTags.Base.BitsPerSample))
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]  # PNG specification, 11.2.2: the bit depth in IHDR
    return 8


def _deep_colour(path: Path, image: Image.Image) -> Image.Image:
    """Decode 16-bit colour with OpenCV, as Pillow drops the lower 8 bits."""
    import cv2

    if _tag(image, ExifTags.Base.PlanarConfiguration) == 2:
        problem = "The photo keeps its 16-bit colours in separate planes."  # OpenCV scrambles them
        raise PhotoError(path, problem, _SAVE_ANEW)
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise PhotoError(path, "The 16-bit colours cannot be decoded.", _SAVE_ANEW)
    pixels = decoded.astype(np.uint16, copy=False)
    colours = _eight_bits(pixels[..., 2::-1])  # BGR to RGB
    opacity = (pixels[..., 3:] >> 8).astype(np.uint8)
    return Image.fromarray(np.dstack([colours, opacity]))


def _eight_bits(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Scale uint16 values to uint8 by the power of two that read_photo() describes."""
    step = max(1, round(sqrt(values.shape[0] * values.shape[1] / 1e6)))  # a million pixels will do
    bright = int(np.percentile(values[::step, ::step], 99.9))
    return np.minimum(values >> max(0, bright.bit_length() - 8), 255).astype(np.uint8)


def _natural(path: Path) -> list[str | int]:
    """Sort key by name that compares runs of digits as numbers and ignores case."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)]
