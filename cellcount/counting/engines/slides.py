"""Any engine on photos that are too large for memory: their tiles are read from the file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.usual import figures_of
from cellcount.counting.detections import Detections
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.photos.look import look
from cellcount.photos.reading import opened_slide
from cellcount.photos.slide import Slide
from cellcount.photos.tiles import cut
from cellcount.photos.view import View

if TYPE_CHECKING:
    from cellcount.counting.engines import Engine

_LOOKED_AT = 25  # tiles by which a slide is judged
_SURE = 0.5  # probability of a box that makes a tile one with cells


class SlideEngine:
    """Shows an engine the tiles of a slide, from the copy in it that has as many pixels as it sees.

    Args:
        engine: finds the boxes of a tile.
        side: of a tile, in pixels of the slide.
        view: which channel and slice is read.

    Raises:
        CellCountError: the tiles are too small, or the detector would see them distorted.
    """

    def __init__(self, engine: "Engine", side: int, view: View) -> None:
        TiledEngine(engine, side)  # refuses what cannot be
        self.name, self.classes, self.meta = engine.name, engine.classes, engine.meta
        self.img_size = engine.img_size
        self._engine, self._side, self._view = engine, side, view

    def prepare(self, photo: Any) -> Path:
        """The slide's file, as it is given, which is open only while it is looked at."""
        return Path(photo)

    def find(self, prepared: Path, threshold: float) -> Detections:
        """The boxes with a score above the threshold, in pixels of the slide."""
        with opened_slide(prepared, self._view) as slide:
            level = slide.level(self._side / np.max(self.img_size))
            times = np.divide(slide.shape[1::-1], level.shape[1::-1])
            found = TiledEngine(self._engine, round(self._side / times[0])).find(level, threshold)
        return found._replace(boxes=found.boxes * [*times, *times])

    def figures(
        self, photo: Path, boxes: NDArray[np.floating], probability: NDArray[np.floating]
    ) -> dict[str, float]:
        """What a slide is judged by: its tiles are taken for photos, as the detector takes them.

        Each figure is the median over tiles in which cells were found, from all over the slide, so
        empty glass does not count; over any tiles if there are no cells.

        Args:
            photo: the slide.
            boxes: (n, 4), in pixels of it.
            probability: (n,), how likely each is a cell.
        """
        with opened_slide(photo, self._view) as slide:
            height, width = slide.shape[:2]
            tiles = cut(width, height, self._side)
            sure = boxes[probability >= _SURE]
            chosen = [tile for tile in tiles if tile.counts(sure).any()] or tiles
            some = np.linspace(0, len(chosen) - 1, min(len(chosen), _LOOKED_AT)).round().astype(int)
            each = []
            for tile in (chosen[one] for one in some):
                mine = tile.counts(boxes)
                size = tile.core[2] - tile.core[0], tile.core[3] - tile.core[1]
                told = figures_of(boxes[mine], probability[mine], size, self._side)
                each.append(look(_pixels(slide, tile.seen)) | told)
        return {name: _median([one[name] for one in each]) for name in each[0]}


def _pixels(slide: Slide, seen: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return slide[seen[1] : seen[3], seen[0] : seen[2]]


def _median(values: list[float]) -> float:
    """Of those that are known; NaN if none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else np.nan
