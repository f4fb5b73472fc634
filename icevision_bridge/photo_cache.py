"""Small photos that are kept in memory, within a bound, for all that read one data set."""

import math
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]
MOST_BYTES = 2**30  # what a data set may take: some 400 photos at the size of the walkthrough


class PhotoCache:
    """Room for photos of known shapes; those that do not fit into ``MOST_BYTES`` are not kept.

    The memory is taken photo by photo, as they come. Worker processes that are forked, as they are
    on Linux and Colab, share it with each other and with the notebook, so that what one has decoded
    is there for all, in the next epoch too. Started in another way, each keeps its own.

    Args:
        shapes: (height, width, 3) of each photo, or None for one that is not to be kept.
    """

    def __init__(self, shapes: Sequence[Shape | None]) -> None:
        self._shapes = list(shapes)
        self._starts: dict[int, int] = {}
        end = len(self._shapes)  # the first bytes say which photos are there
        for number, shape in enumerate(self._shapes):
            if shape and end + math.prod(shape) <= MOST_BYTES:
                self._starts[number] = end
                end += math.prod(shape)
        # Of no file: not bound by the size of /dev/shm, which is 64 MB in many containers.
        self._bytes = np.frombuffer(mmap.mmap(-1, max(end, 1)), np.uint8)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the room, not what is in it."""
        return PhotoCache, (self._shapes,)

    def takes(self, number: int, shape: Shape | None) -> bool:
        """Whether there is room for photo ``number``, and ``shape`` is the one it was to have."""
        return number in self._starts and shape == self._shapes[number]

    def get(self, number: int) -> NDArray[np.uint8] | None:
        """A copy of photo ``number``, or None if it was not put there yet."""
        return self._room(number).copy() if self._bytes[number] else None

    def put(self, number: int, photo: NDArray[np.uint8]) -> None:
        """Keep ``photo`` as number ``number``."""
        self._room(number)[:] = photo
        self._bytes[number] = 1

    def _room(self, number: int) -> NDArray[np.uint8]:
        start, shape = self._starts[number], self._shapes[number]
        assert shape is not None
        return self._bytes[start : start + math.prod(shape)].reshape(shape)
