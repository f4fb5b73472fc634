"""A photo that is too large for memory, read a rectangle at a time: a slide, or a stitched mosaic.

What is decided once for a photo, its brightness, its channel, its slice and whether it is one
channel shown in a colour, is decided by squares from all over it, and holds for every rectangle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cellcount.photos.brightness import Scale, scale_of
from cellcount.photos.colour import in_grey, of_one_hue, rgb
from cellcount.photos.hyperstack import Hyperstack, Window
from cellcount.photos.photo_error import explained
from cellcount.photos.picking import picture, settled
from cellcount.photos.view import COLOURS, View

_SQUARES, _SIDE = 12, 256  # at most so many squares across and down, and their pixels
_BLOCK = 64  # pixels of a thumbnail that are made at once


@dataclass(frozen=True)
class Slide:
    """Like an array (height, width, 3), uint8, RGB, of which ``slide[rows, columns]`` is read.

    Rows and columns are slices with both ends. ``smaller`` are the copies that the file holds.
    """

    file: Path
    shape: tuple[int, int, int]
    smaller: Sequence["Slide"]
    _stack: Hyperstack
    _page: int
    _time: int
    _view: View
    _scale: Scale
    _one_hue: bool

    @classmethod
    def of(cls, file: Path, stack: Hyperstack, page: int, time: int, view: View) -> "Slide":
        """The picture of a stack that the view takes.

        Raises:
            PhotoError: there is no such channel or slice, it must be said which, or the file is
                damaged where it was looked at.
        """
        sample = replace(stack, plane=_Sampled(stack), smaller=())
        chosen = settled(file, sample, page, time, view)
        values = picture(file, sample, page, time, chosen)
        scale = scale_of(values[..., :3] if values.ndim == 3 else values)
        one_hue = view.channel != COLOURS and of_one_hue(rgb(values, scale))

        def made(one: Hyperstack) -> "Slide":
            smaller = [made(copy.seen(view)) for copy in one.smaller]
            shape = (one.height, one.width, 3)
            return cls(file, shape, smaller, one, page, time, chosen, scale, one_hue)

        return made(stack)

    def __getitem__(self, window: Window) -> NDArray[np.uint8]:
        """The pixels of a rectangle.

        Raises:
            PhotoError: the file is damaged there.
        """
        try:
            stack = self._stack.within(window)
            values = picture(self.file, stack, self._page, self._time, self._view)
            pixels = rgb(values, self._scale)
        except Exception as error:  # damaged files raise anything
            raise explained(self.file, error) from error
        return in_grey(pixels) if self._one_hue else pixels

    def level(self, most: float) -> "Slide":
        """The smallest copy that is shrunk at most so many times; the slide itself if none is."""
        fitting = [one for one in self.smaller if self.shape[1] <= most * one.shape[1]]
        return min(fitting, key=lambda one: one.shape[1], default=self)

    def thumbnail(self, longest: int) -> NDArray[np.uint8]:
        """All of it, shrunk to a longest side (height, width, 3), a block at a time."""
        times = max(1.0, max(self.shape) / longest)
        source = self.level(times)
        height, width = (max(1, round(side / times)) for side in self.shape[:2])
        made = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, _BLOCK):
            for left in range(0, width, _BLOCK):
                block = made[top : top + _BLOCK, left : left + _BLOCK]
                rows = _stretched(top, block.shape[0], source.shape[0] / height)
                columns = _stretched(left, block.shape[1], source.shape[1] / width)
                seen = source[rows, columns]
                cv2.resize(seen, block.shape[1::-1], dst=block, interpolation=cv2.INTER_AREA)
        return made


def _stretched(start: int, length: int, times: float) -> slice:
    return slice(int(start * times), max(int((start + length) * times), int(start * times) + 1))


class _Sampled:
    """Reads squares from all over a picture, side by side as one; all of a small picture."""

    def __init__(self, stack: Hyperstack) -> None:
        self._plane = stack.plane
        self._rows, self._columns = (_spread(side) for side in (stack.height, stack.width))

    def __call__(self, *which: int) -> NDArray[Any]:
        rows = [
            np.concatenate([self._plane(*which, (row, column)) for column in self._columns], 1)
            for row in self._rows
        ]
        return np.concatenate(rows)


def _spread(length: int) -> list[slice]:
    many = -(-length // _SIDE)
    chosen = np.unique(np.linspace(0, many - 1, min(many, _SQUARES)).round().astype(int)).tolist()
    return [slice(one * _SIDE, min((one + 1) * _SIDE, length)) for one in chosen]
