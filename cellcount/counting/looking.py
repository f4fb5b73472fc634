"""What a detector is shown of a photo: all of it or its tiles, at the scale that it has learned.

A photo of another objective shows cells larger or smaller. Where both are known, the micrometres of
a pixel tell by how much; else a person may say so (``scale``). Tiles are then as large as shows
cells at the size learned, and a photo smaller than that is not enlarged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.usual import Usual
from cellcount.counting.engines import Engine
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.errors import CellCountError
from cellcount.photos.look import look
from cellcount.photos.reading import pixel_size, read_photo
from cellcount.photos.remote import at_hand
from cellcount.photos.tiles import SMALLEST
from cellcount.photos.view import View

_LARGE = 1.5  # times as large as the photos learned from: such photos are looked at in tiles too
_SAME = 1.1  # times as many micrometres a pixel: the same objective


class Way(NamedTuple):
    """A way of looking at a photo: as a whole, or in tiles of so many pixels a side.

    ``side`` is how many pixels of the photo fill the frame that the engine is shown.
    """

    engine: Engine
    prepared: Any
    side: int
    tile: int | None
    look: dict[str, float]


class Seen(NamedTuple):
    """A photo of (width, height) pixels, so many micrometres each, and the ways to look at it."""

    size: tuple[int, int]
    um_per_px: float | None
    ways: list[Way]


@dataclass(frozen=True)
class Looking:
    """How photos are shown to an engine.

    ``tile`` is what the detector was trained with. ``scale`` is how large cells lie in the photos
    beside those learned from; ``um_per_px`` takes the place of what files say, and ``view`` is
    which channel and slice is read.
    """

    engine: Engine
    tile: int | None
    scale: float | None = None
    um_per_px: float | None = None
    view: View = field(default_factory=View.chosen)

    def __post_init__(self) -> None:
        """Refuse a scale that cannot be."""
        for value, word in ((self.scale, "A scale"), (self.um_per_px, "A pixel of that size")):
            if value is not None and not 0 < value < np.inf:
                raise CellCountError(f"{word} ({value:g}) means nothing: give a number over 0.")

    def engine_for(self, tile: int | None, usual: Usual | None) -> Engine:
        """What looks at photos for whose scale nothing else is known; ``tile`` is asked for.

        Raises:
            CellCountError: such tiles cannot be counted, or the scale of the photos is not known.
        """
        return self._on_tiles(*self._cut(tile, usual, None))

    def see(
        self, photo: str | Path | NDArray[np.uint8], tile: int | None, usual: Usual | None
    ) -> Seen:
        """Read a photo, and look at it in the ways that may suit it.

        Args:
            photo: its path, or its pixels (height, width, 3).
            tile: pixels a side, if other tiles than in training are asked for.
            usual: what the photos are like that were learned from, if that is known.

        Raises:
            PhotoError: it cannot be read.
        """
        um = self.um_per_px
        if isinstance(photo, np.ndarray):
            pixels = photo
        else:
            with at_hand(Path(photo)) as file:
                pixels = read_photo(file, view=self.view)
                um = pixel_size(file) if um is None else um
        height, width = pixels.shape[:2]
        return Seen((width, height), um, [*self._ways(pixels, tile, usual, um)])

    def _ways(
        self, pixels: NDArray[np.uint8], tile: int | None, usual: Usual | None, um: float | None
    ) -> Iterator[Way]:
        longest = max(pixels.shape[:2])
        cut, alike = self._cut(tile, usual, um)
        engine = self._on_tiles(cut, alike)
        side = longest if cut is None else cut if alike else min(longest, cut)
        told = {} if usual is None else look(pixels, cut)
        yield Way(engine, engine.prepare(pixels), side, cut, told)
        if usual is None or cut is not None or np.ptp(engine.img_size):
            return
        learned = max(SMALLEST, round(usual.view))
        if longest >= _LARGE * learned:
            engine = self._on_tiles(learned, alike)
            yield Way(engine, engine.prepare(pixels), learned, learned, look(pixels, learned))

    def _cut(
        self, tile: int | None, usual: Usual | None, um: float | None
    ) -> tuple[int | None, bool]:
        """The side of tiles, if there are to be any, and whether cells are alike in all photos."""
        if tile is not None:
            return tile, False
        if self.scale is not None:
            if usual is None:
                raise CellCountError(
                    "This model does not know how large its photos were: give the side of a field "
                    "in pixels instead (--tile)."
                )
            return round(usual.view * self.scale), True
        if usual is not None and usual.um_per_px and um and not np.ptp(self.engine.img_size):
            times = usual.um_per_px / um
            if max(times, 1 / times) > _SAME:
                return max(SMALLEST, round(usual.view * times)), True
        return self.tile, False

    def _on_tiles(self, side: int | None, alike: bool) -> Engine:
        return self.engine if side is None else TiledEngine(self.engine, side, alike=alike)
