"""Cellpose's ``_seg.npy``: a dictionary with ``masks``, a label image, pickled by NumPy.

A pickle can run any program as it is read. So nothing that it names is looked up: the masks are put
together here, from their plain parts, and all else is refused.
"""

import io
import pickle
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cellcount.labels.formats.content import by_file, whole
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.masks import cells
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Wrong

_LARGEST = 2_000_000_000  # bytes: beside the masks it keeps flows, ten times as large
_STEPS = 100_000  # of a pickle; cellpose's has some hundred, and each may take memory
_PARTS = ("_reconstruct", "ndarray", "dtype", "scalar")
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_WHOLE_NUMBERS = re.compile(r"[ui][1248]")


def mine(path: Path) -> bool:
    """Whether a file is NumPy's, of Python objects."""
    if path.suffix.lower() != ".npy":
        return False
    with path.open("rb") as file:
        return b"'|O'" in file.read(200)


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    numbers = _masks(whole(path, _LARGEST))
    height, width = numbers.shape
    shapes = cells(numbers, photos.split)
    yield photos.labelled(photos.of_file(path), (width, height), shapes, path)


read = by_file(_read, "cellpose")


class _Part:
    """What a pickle says of an array or its kind, of which nothing is carried out."""

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


class _Inert(pickle._Unpickler):  # the one in Python: that in C can be made to fill the memory
    def find_class(self, module: str, name: str) -> Any:
        if module not in _MODULES or name not in _PARTS:
            raise Wrong(f"it asks for {module}.{name}, which is not run: save the masks as TIFF")
        return _Part


def _masks(content: bytes) -> NDArray[np.generic]:
    file = io.BytesIO(content)
    try:
        first = npy.read_magic(file) == (1, 0)
        (npy.read_array_header_1_0 if first else npy.read_array_header_2_0)(file)
        _refuse_bomb(content[file.tell() :])
        numbers = _array(_Inert(file).load().state[-1][0]["masks"])
    except Wrong:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise Wrong(f"it is cut short, damaged or not cellpose's: {error}") from error
    if numbers.ndim != 2:
        raise Wrong(f"its masks have the shape {numbers.shape}, not one layer")
    return numbers


def _refuse_bomb(pickled: bytes) -> None:
    for number, (opcode, _, _) in enumerate(pickletools.genops(pickled)):
        if number > _STEPS or opcode.name == "BYTEARRAY8":  # which takes memory before it reads
            raise Wrong("it is built as cellpose's never are")


def _array(part: _Part) -> NDArray[np.generic]:
    _, shape, kind, by_columns, stored = part.state
    if not _WHOLE_NUMBERS.fullmatch(kind.given[0]):
        raise Wrong(f"its masks are {kind.given[0]}, not whole numbers")
    order = kind.state[1].replace("|", "=")
    numbers = np.frombuffer(stored, np.dtype(order + kind.given[0]))
    return numbers.reshape(shape, order="F" if by_columns else "C")
