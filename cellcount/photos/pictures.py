"""JPEG, PNG, BMP and WebP pictures, and the colours of TIFF pages that only Pillow converts."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from cellcount.photos.colour import on_white, rgb
from cellcount.photos.photo_error import (
    MAX_MEGAPIXELS,
    SAVE_ANEW,
    PhotoError,
    check_size,
    explained,
)

# What is wrong with a file is said by a PhotoError, not in the middle of a progress bar.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
logging.getLogger("PIL").addHandler(logging.NullHandler())

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_STILL = "Save the one that is to be counted as PNG."
_BAND = 64  # rows that are copied at once; of a phone's photo, half a megabyte
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


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright picture, from its header.

    Raises:
        PhotoError: the file is missing, empty, no picture, or larger than the limit.
    """
    with _opened(path) as image:
        return _upright(image.size, _orientation(image))


def picture_turn(path: Path) -> int:
    """EXIF's orientation, 1 to 8; 1 also for what is none.

    Raises:
        PhotoError: the file is missing, empty, no picture, or larger than the limit.
    """
    with _opened(path) as image:
        turn = _orientation(image)
        return turn if turn in _TURN_OF else 1


def read_picture(path: Path, shrink_to: int | None) -> NDArray[np.uint8]:
    """(height, width, 3) of a JPEG, PNG, BMP or WebP; :func:`cellcount.photos.reading.read_photo`.

    Raises:
        PhotoError: the file is missing, empty, no picture, damaged, or larger than the limit.
    """
    with _opened(path) as image:
        turn = _orientation(image)
        size = _upright(image.size, turn)
        wanted = fitting(size, shrink_to)
        stored, part = _upright(wanted, turn), None
        if wanted != size and (drafted := image.draft(None, (2 * stored[0], 2 * stored[1]))):
            part = drafted[1]  # its edges: rounding up has left a margin of less than a pixel
        image.load()
        picture = _rgb(path, image)
        if wanted != size:
            picture = picture.resize(stored, Image.Resampling.BICUBIC, box=part)
        if turn in _TURN_OF:
            picture = picture.transpose(_TURN_OF[turn])
        return _pixels(picture)  # here, where Pillow's limit on any picture's size is ours


def read_page(path: Path, number: int) -> NDArray[np.uint8]:
    """(height, width, 3) of a page of a TIFF, from 0, upright, whatever its colour model.

    Raises:
        PhotoError: the page is damaged, or Pillow cannot read it.
    """
    with _opened(path) as image:
        image.seek(number)
        image.load()  # which turns it upright
        return _pixels(_rgb(path, image))


def fitting(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """(width, height) of a picture that is shrunk to a longest side; never enlarged."""
    scale = min(1.0, longest / max(size)) if longest else 1.0
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


_one_at_a_time = threading.Lock()


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """Open a picture under our limit instead of Pillow's, and explain whatever goes wrong."""
    with _one_at_a_time:  # Pillow's limit is a global that two threads must not swap at once
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_MEGAPIXELS * 1_000_000
        try:
            # Given a name, Pillow maps uncompressed TIFFs into memory and, up to 12.3 at least,
            # scrambles the sideways ones; given an open file it does not.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
                check_size(path, *image.size)
                if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
                    raise PhotoError(path, "It is a moving picture.", _STILL)
                yield image
        except Exception as error:  # decoders raise anything when they are fed damaged files
            raise explained(path, error) from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _orientation(image: ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8, from what stands before the pixels."""
    # PNG's own getexif() would decode the whole picture to look behind it.
    return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)


def _upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    return size[::-1] if turn in _SIDEWAYS else size


def _rgb(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray(rgb(np.asarray(image).astype(np.uint16)))
    if image.mode in ("RGB", "RGBA") and _is_deep(path, image):
        return Image.fromarray(_deep_colour(path))
    if image.has_transparency_data:
        return on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")  # which copies in any case


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


def _is_deep(path: Path, image: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits a channel, of which Pillow drops the lower 8."""
    if image.format != "PNG":
        return False
    with path.open("rb") as file:
        return file.read(25)[24] == 16  # PNG specification, 11.2.2: the bit depth in IHDR


def _deep_colour(path: Path) -> NDArray[np.uint8]:
    import cv2

    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise PhotoError(path, "The 16-bit colours cannot be decoded.", SAVE_ANEW)
    pixels = decoded.astype(np.uint16, copy=False)
    return rgb(np.dstack([pixels[..., 2::-1], pixels[..., 3:]]))  # BGR to RGB
