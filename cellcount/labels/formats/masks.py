"""Label images: pixels of 0 are background, and each cell has a number of its own.

Cellpose writes them (``_cp_masks.png`` or ``.tif``), StarDist, ilastik ("Object Identities") and
CellProfiler. They lie beside the photo or in another folder, and bear its name, with more behind it
or not. A mask in which all cells have one number says where cells are, and not which.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from cellcount.errors import CellCountError
from cellcount.labels.formats.content import by_file
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong
from cellcount.labels.formats.tracing import traced
from cellcount.photos.reading import MAX_MEGAPIXELS, is_photo

_SPREAD = 4  # times the image, that the bounds of all numbers together cover at most
_LISTED = 1_000_000  # numbers up to which a list of all is short
_PARTS = 2  # of a cell, on average: segmentation leaves crumbs
_START = slice(0, 1), slice(0, 1)
_EVERYWHERE = ndimage.generate_binary_structure(2, 2)  # corners touch


def mine(path: Path) -> bool:
    """Whether a picture is a label image or a mask: in a photo, a number lies everywhere."""
    if not (is_photo(path) or path.suffix.lower() == ".npy") or path.name.endswith("_seg.npy"):
        return False
    try:
        numbers = _numbers(path)
    except (CellCountError, Wrong, OSError):
        return False
    compact, slices = _compact(numbers)
    covered = sum((y.stop - y.start) * (x.stop - x.start) for _, (y, x) in slices)
    return bool(slices) and bool((compact == 0).any()) and covered <= _SPREAD * compact.size


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    numbers = _numbers(path)
    height, width = numbers.shape
    shapes = cells(numbers, photos.split)
    yield photos.labelled(photos.of_file(path), (width, height), shapes, path)


read = by_file(_read, "label image")


def cells(numbers: NDArray[np.generic], split: bool) -> list[Shape]:
    """The bounds of each cell of a label image (height, width), in the order of their numbers.

    Args:
        numbers: 0 is background.
        split: take each connected part for a cell, whatever its number.

    Raises:
        Wrong: numbers have several parts, and are not to be split.
    """
    compact, slices = _compact(numbers)
    parts = []
    for number, where in slices:
        labelled, _ = ndimage.label(compact[where] == number, _EVERYWHERE)
        found = enumerate(ndimage.find_objects(labelled), start=1)
        parts.append([_shape(where, part, labelled[part] == i) for i, part in found])
    total = sum(map(len, parts))
    if split:
        return [shape for some in parts for shape in some]
    if total > (_PARTS * len(slices) if len(slices) > 1 else 1):
        what = "one number for all cells" if len(slices) == 1 else "one number for several cells"
        raise Wrong(
            f"it is a mask with {what}, not one for each: --split takes its {total} connected "
            "parts for cells"
        )
    return [_shape(_START, where, compact[where] == number) for number, where in slices]


def _shape(
    start: tuple[slice, slice], where: tuple[slice, slice], cell: NDArray[np.bool_]
) -> Shape:
    (y, x) = where
    left, top = start[1].start + x.start, start[0].start + y.start
    right, bottom = start[1].start + x.stop, start[0].start + y.stop
    return Shape("", left, top, right, bottom, outline=traced(cell, left, top))


def _compact(
    numbers: NDArray[np.generic],
) -> tuple[NDArray[np.generic], list[tuple[int, tuple[slice, slice]]]]:
    """The image with small numbers, and the bounds of each number that occurs but 0."""
    if numbers.dtype.kind not in "ui" or numbers.min() < 0 or numbers.max() > _LISTED:
        _, inverse = np.unique(numbers, return_inverse=True)
        numbers = (inverse.reshape(numbers.shape) + 1) * (numbers != 0)
    found = ndimage.find_objects(numbers)
    return numbers, [(i, where) for i, where in enumerate(found, start=1) if where is not None]


def _numbers(path: Path) -> NDArray[np.generic]:
    """A picture of one channel, (height, width).

    Raises:
        Wrong: it is damaged, too large, or has several channels or layers.
    """
    try:
        return _plane(path)
    except (Wrong, OSError):
        raise
    except Exception as error:  # decoders raise anything when they are fed damaged files
        raise Wrong(f"it is cut short or damaged: {error}") from error


def _plane(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() == ".npy":
        return _one_plane(np.load(path, mmap_mode="r", allow_pickle=False))
    if path.suffix.lower() in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            _refuse(series.shape)
            return _one_plane(series.asarray())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # _refuse has a limit
        with Image.open(path, formats=("PNG", "BMP")) as image:
            if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
                raise Wrong("it has colours, not numbers")
            _refuse(image.size)
            return np.asarray(image)


def _one_plane(numbers: NDArray[np.generic]) -> NDArray[np.generic]:
    _refuse(numbers.shape)
    numbers = np.asarray(numbers).squeeze()
    whole = numbers.dtype.kind in "uib" or bool((np.mod(numbers, 1) == 0).all())
    if numbers.ndim != 2 or not whole:
        raise Wrong(f"it has the shape {numbers.shape}, not one layer of whole numbers")
    return numbers


def _refuse(shape: Sequence[int]) -> None:
    if not 0 < np.prod(shape, dtype=float) <= MAX_MEGAPIXELS * 1e6:
        raise Wrong(f"it has no pixels, or more than {MAX_MEGAPIXELS} million")
    if sum(length > 1 for length in shape) > 2:
        raise Wrong(f"it has the shape {tuple(shape)}: several channels or layers")
