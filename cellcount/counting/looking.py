"""What a detector is shown of a photo: all of it or its tiles, at the scale that it has learned.

A photo of another objective shows cells larger or smaller. Where both are known, the micrometres of
a pixel tell by how much; else a person may say so (``scale``). Tiles are then as large as shows
cells at the size learned, and a photo smaller than that is not enlarged.

A photo of unusual light is looked at as it is first, and then brought to the levels of the photos
learned from (:mod:`cellcount.photos.levels`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.usual import Usual, figures_of
from cellcount.counting.detections import Detections
from cellcount.counting.engines import Engine
from cellcount.counting.engines.slides import SlideEngine
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.counting.regions import Outline, Region
from cellcount.errors import CellCountError
from cellcount.photos.look import look
from cellcount.photos.reading import (
    LargePhotoError,
    PhotoError,
    photo_size,
    pixel_size,
    read_with_pixel_size,
)
from cellcount.photos.remote import at_hand
from cellcount.photos.tiles import SMALLEST
from cellcount.photos.view import View

_LARGE = 1.5  # times as large as the photos learned from: such photos are looked at in tiles too
_SAME = 1.1  # times as many micrometres a pixel: the same objective


@dataclass(frozen=True)
class Way:
    """A way of looking at a photo: as a whole, or in tiles of so many pixels a side.

    ``figures`` tells what is usual or not about the photo, from boxes (n, 4) in its pixels and how
    likely each is a cell (n,); ``look`` what its pixels tell. ``matched`` says whether its
    brightness was brought to that of the photos learned from.
    """

    engine: Engine
    prepared: Any
    tile: int | None
    figures: Callable[[NDArray[np.floating], NDArray[np.floating]], dict[str, float]]
    look: dict[str, float] = field(default_factory=dict)
    matched: bool = False
    _found: dict[float, Detections] = field(default_factory=dict)

    def find(self, threshold: float) -> Detections:
        """The boxes with a score above the threshold; the engine computes them once."""
        if threshold not in self._found:
            self._found[threshold] = self.engine.find(self.prepared, threshold)
        return self._found[threshold]


class Seen(NamedTuple):
    """A photo with the micrometres of its pixels, and the ways to look at it.

    ``at``, if cells are to be brought to a size, looks at it in tiles of so many pixels a side,
    larger than the photo or not; ``longest`` is the photo's longest side. ``outline`` is the part
    of it that is to be counted.
    """

    um_per_px: float | None
    ways: list[Way]
    outline: Outline
    longest: int = 0
    at: Callable[[int], Way] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photo."""
        return self.outline.size


@dataclass(frozen=True)
class Looking:
    """How photos are shown to an engine.

    ``tile`` is what the detector was trained with. ``scale`` is how large cells lie in the photos
    beside those learned from; ``um_per_px`` takes the place of what files say, and ``view`` is
    which channel and slice is read. ``cell_side`` is how many pixels a side of what it is shown a
    detector of any cell wants cells to have, ``region`` which part of photos is counted.
    """

    engine: Engine
    tile: int | None
    scale: float | None = None
    um_per_px: float | None = None
    view: View = field(default_factory=View.chosen)
    cell_side: float | None = None
    region: Region = field(default_factory=Region)

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
            PhotoError: it cannot be read, or the region is not on it.
        """
        if isinstance(photo, np.ndarray):
            return self._seen(None, photo, self.um_per_px, tile, usual)
        with at_hand(Path(photo)) as file:
            try:
                pixels, um = read_with_pixel_size(file, view=self.view)
            except LargePhotoError as error:
                if file != Path(photo):
                    problem = "It is too large to be counted from there."
                    raise PhotoError(photo, problem, "Copy it to this computer.") from error
                um = pixel_size(file) if self.um_per_px is None else self.um_per_px
                outline = self.region.on(file, photo_size(file))
                return Seen(um, [self._by_parts(file, tile, usual, um)], outline)
            um = um if self.um_per_px is None else self.um_per_px
            return self._seen(file, pixels, um, tile, usual)

    def _seen(
        self,
        file: Path | None,
        pixels: NDArray[np.uint8],
        um: float | None,
        tile: int | None,
        usual: Usual | None,
    ) -> Seen:
        """A photo of these pixels (height, width, 3), which are in memory."""
        ways = [*self._ways(pixels, tile, usual, um)]
        height, width = pixels.shape[:2]
        outline = self.region.on(file, (width, height), pixels)
        if self.cell_side is None or ways[0].tile is not None:
            return Seen(um, ways + self._matched(ways, pixels, tile, usual, um), outline)

        @cache
        def at(side: int) -> Way:
            engine = self._on_tiles(side, True)
            return Way(engine, engine.prepare(pixels), side, ways[0].figures)

        return Seen(um, ways, outline, max(width, height), at)

    def _matched(
        self,
        ways: Sequence[Way],
        pixels: NDArray[np.uint8],
        tile: int | None,
        usual: Usual | None,
        um: float | None,
    ) -> list[Way]:
        """The same ways of looking at a photo of unusual light that is brought to the usual one."""
        if usual is None or not usual.levels or not any(usual.odd_light(w.look) for w in ways):
            return []
        matched = usual.levels.matched(pixels)
        if matched is None:
            return []
        return [replace(way, matched=True) for way in self._ways(matched, tile, usual, um)]

    def _by_parts(
        self, photo: Path, tile: int | None, usual: Usual | None, um: float | None
    ) -> Way:
        """The way to look at a photo that is too large for memory."""
        side, _ = self._cut(tile, usual, um)
        if side is None:
            if usual is None or np.ptp(self.engine.img_size):
                problem = "It is counted in squares, and this model does not say how large ones."
                raise PhotoError(photo, problem, "Give the side of a field in pixels: --tile 1024.")
            side = max(SMALLEST, round(usual.view))
        engine = SlideEngine(self.engine, side, self.view)
        return Way(engine, photo, side, partial(engine.figures, photo))

    def _ways(
        self, pixels: NDArray[np.uint8], tile: int | None, usual: Usual | None, um: float | None
    ) -> Iterator[Way]:
        height, width = pixels.shape[:2]
        longest = max(height, width)

        def way(cut: int | None, engine: Engine, side: int) -> Way:
            told = {} if usual is None else look(pixels, cut)
            rest = partial(figures_of, size=(width, height), view=side)
            figures = lambda *found: told | rest(*found)  # noqa: E731
            return Way(engine, engine.prepare(pixels), cut, figures, told)

        cut, alike = self._cut(tile, usual, um)
        engine = self._on_tiles(cut, alike)
        side = longest if cut is None else cut if alike else min(longest, cut)
        yield way(cut, engine, side)
        if usual is None or cut is not None or self.cell_side or np.ptp(engine.img_size):
            return
        learned = max(SMALLEST, round(usual.view))
        if longest >= _LARGE * learned:
            yield way(learned, self._on_tiles(learned, alike), learned)

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
