"""Reading photos: every file a camera or a microscope writes, upright, as 8-bit RGB.

A photo is what :func:`is_photo` accepts by name. Which of JPEG, PNG, BMP, WebP and TIFF it is, its
content decides. Sizes are (width, height) in pixels of the upright photo, as its EXIF tag has it.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.photos import tiff, vendors
from cellcount.photos.colour import rgb, uncoloured
from cellcount.photos.hyperstack import Hyperstack
from cellcount.photos.photo_error import MAX_MEGAPIXELS, LargePhotoError, PhotoError, check_file
from cellcount.photos.picking import coloured, found, listed, picture
from cellcount.photos.pictures import fitting, picture_size, picture_turn, read_picture
from cellcount.photos.slide import Slide
from cellcount.photos.view import COLOURS, View, inside

__all__ = [
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "LargePhotoError",
    "PhotoError",
    "channels_in",
    "is_photo",
    "list_photos",
    "natural",
    "no_photo",
    "opened_slide",
    "photo_size",
    "photo_turn",
    "photos_in",
    "pixel_size",
    "pixels_of",
    "read_photo",
    "read_with_pixel_size",
]

PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".webp"),
    *(".tif", ".tiff", ".lsm", ".stk"),
    *vendors.OPENERS,
)


def is_photo(path: Path) -> bool:
    """Whether the name is a photo's: a known suffix in any case, and not hidden."""
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def list_photos(folder: str | Path) -> list[Path]:
    """List the photos right in the folder, in the order in which people count (2 before 10).

    They are files; a microscope's may hold several photos: :func:`photos_in`.

    Raises:
        CellCountError: there is no such folder, or it holds no photo.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellCountError(f"There is no folder {folder}. Check its name.")
    found = [path for path in folder.iterdir() if is_photo(path) and path.is_file()]
    if not found:
        raise no_photo(folder)
    return sorted(found, key=natural)


def no_photo(folder: str | Path) -> CellCountError:
    """The error of a folder without any."""
    suffixes = " ".join(PHOTO_SUFFIXES)
    return CellCountError(
        f"{folder} holds no photo. Put some there: files that end in {suffixes} are read."
    )


def photos_in(path: str | Path, view: View | None = None) -> list[Path]:
    """The photos in a file: itself, or each of its scenes, times and pages, as ``a.tif[T3,S1]``.

    These names are read as if they were files. No pixel is decoded. A file that cannot be read is
    listed too: reading it says why.

    Args:
        path: the file, or the name of a photo in it.
        view: may make slices or channels of a photo of pages that nothing is said of.
    """
    view, which = view or View.chosen(), inside(Path(path))
    if which.file != Path(path):
        return [Path(path)]
    try:
        if (scenes := _scenes(which.file)) is None:
            return [which.file]
        with scenes as stacks:
            return [Path(str(one)) for one in listed(which.file, [s.seen(view) for s in stacks])]
    except PhotoError:
        return [which.file]


def channels_in(path: str | Path) -> list[str]:
    """The channels of a file by which ``View`` knows them; none if there is nothing to choose.

    They go by their names, or by numbers from 1 on where the file does not name them.

    Raises:
        PhotoError: the file cannot be read.
    """
    scenes = _scenes(inside(Path(path)).file)
    if scenes is None:
        return []
    with scenes as stacks:
        most = max(stacks, key=lambda one: one.channels)
        numbers = [str(number) for number in range(1, most.channels + 1)]
        return [*(most.names or numbers)] if most.channels > 1 else []


def photo_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of the upright photo from its header, without decoding pixels.

    Raises:
        PhotoError: the file is missing, empty, no photo, or larger than the limit.
    """
    which = inside(Path(path))
    scenes = _scenes(which.file)
    if scenes is None:
        return picture_size(which.file)
    with scenes as stacks:
        view = View.chosen()
        stack, _, _ = found(which, [one.seen(view) for one in stacks])
        return stack.width, stack.height


def photo_turn(path: str | Path) -> int:
    """EXIF's orientation of a photo, 1 to 8, which turns the stored pixels upright; of TIFF, 1.

    Raises:
        PhotoError: the file is missing, empty, no photo, or larger than the limit.
    """
    which = inside(Path(path))
    return picture_turn(which.file) if _scenes(which.file) is None else 1


def pixel_size(path: str | Path) -> float | None:
    """How many micrometres a pixel is wide, where the file says so; None where it does not.

    Raises:
        PhotoError: the file is missing, empty, no photo, or larger than the limit.
    """
    which = inside(Path(path))
    scenes = _scenes(which.file)
    if scenes is None:
        return None
    with scenes as stacks:
        return stacks[which.scene - 1 if which.scene else 0].um_per_px


def read_photo(
    path: str | Path, *, shrink_to: int | None = None, view: View | None = None
) -> NDArray[np.uint8]:
    """Read a photo as an array of shape (height, width, 3), uint8, RGB, upright.

    Transparent parts are laid on white. Numbers of other than 8 bits become 8 bits by the rule of
    :func:`cellcount.photos.brightness.eight_bits`. A single channel shown in a colour becomes grey.
    Of several slices the sharpest is read; of several channels the only one that is not empty.

    Args:
        path: a file, or a photo in it, as :func:`photos_in` names them. Of a larger photo than 200
            megapixels there is only what it is shrunk to; :func:`opened_slide` gives parts of it.
        shrink_to: the longest side wanted, in pixels; smaller photos are left as they are. A JPEG
            is then decoded at the 1/2, 1/4 or 1/8 that still has twice the wanted size, and the
            rest is resampled: quicker, and on phone photos 0.2 grey levels off on average.
        view: which channel and slice, where there are several; :meth:`View.chosen` if left out.

    Raises:
        PhotoError: the file is missing, empty, no photo, damaged, or larger than the limit; or it
            holds several photos or channels, and it is not said which is meant.
    """
    return read_with_pixel_size(path, shrink_to=shrink_to, view=view)[0]


def read_with_pixel_size(
    path: str | Path, *, shrink_to: int | None = None, view: View | None = None
) -> tuple[NDArray[np.uint8], float | None]:
    """What :func:`read_photo` and :func:`pixel_size` give, with the file opened only once.

    Raises:
        PhotoError: as there; :class:`LargePhotoError` if it can be read in parts only.
    """
    um_per_px = None
    view, which = view or View.chosen(), inside(Path(path))
    scenes = _scenes(which.file)
    if scenes is None:
        pixels = read_picture(which.file, shrink_to)
        if view.channel is not None and np.ptp(pixels, axis=2).any():
            pixels = rgb(coloured(which.file, pixels, view))
    else:
        with scenes as stacks:
            stack, page, time = found(which, [one.seen(view) for one in stacks])
            um_per_px = stack.um_per_px
            if stack.is_large:
                if shrink_to is None:
                    raise LargePhotoError(which.file)
                slide = Slide.of(which.file, stack, page, time, view)
                return slide.thumbnail(shrink_to), um_per_px
            pixels = rgb(picture(which.file, stack, page, time, view))
        height, width = pixels.shape[:2]
        if (wanted := fitting((width, height), shrink_to)) != (width, height):
            small = Image.fromarray(pixels).resize(wanted, Image.Resampling.BICUBIC)
            pixels = np.array(small)
    return pixels if view.channel == COLOURS else uncoloured(pixels), um_per_px


@contextmanager
def opened_slide(path: str | Path, view: View | None = None) -> Iterator[Slide]:
    """A microscope's photo of any size, to be read in parts within the block.

    Args:
        path: a file, or a photo in it.
        view: which channel and slice, as for :func:`read_photo`.

    Raises:
        PhotoError: as :func:`read_photo`, or it is a plain picture.
    """
    view, which = view or View.chosen(), inside(Path(path))
    scenes, failed = _scenes(which.file), None
    if scenes is None:
        raise PhotoError(which.file, "It is not read in parts.", "Save it as a tiled TIFF.")
    with scenes as stacks:
        stack, page, time = found(which, [one.seen(view) for one in stacks])
        slide = Slide.of(which.file, stack, page, time, view)
        try:
            yield slide
        except Exception as error:  # not of the file, which would be explained here
            failed = error
    if failed is not None:
        raise failed


def pixels_of(photo: str | Path | NDArray[np.uint8], view: View | None = None) -> NDArray[np.uint8]:
    """A photo (height, width, 3) that is given as such, or by its path.

    Raises:
        PhotoError: it cannot be read.
    """
    return photo if isinstance(photo, np.ndarray) else read_photo(photo, view=view)


def _scenes(file: Path) -> AbstractContextManager[list[Hyperstack]] | None:
    """What opens the scenes of a microscope's file; None for a plain picture.

    Raises:
        PhotoError: it is a folder, a pipe or a device, at which reading might wait for ever.
    """
    check_file(file)
    if tiff.is_tiff(file):
        return tiff.opened(file)
    return vendors.opened(file) if file.suffix.lower() in vendors.OPENERS else None


def natural(path: Path) -> list[str | int]:
    """Key that sorts by name, compares runs of digits as numbers and ignores case."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)]
