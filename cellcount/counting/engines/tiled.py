"""Any engine on photos cut into tiles: in memory are the photo and what two tiles take."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellcount.bars import Bar
from cellcount.counting.detections import Detections
from cellcount.counting.framing import widened
from cellcount.counting.reading_ahead import read_ahead
from cellcount.errors import CellCountError
from cellcount.photos.tiles import Tile, check, cut

if TYPE_CHECKING:
    from cellcount.counting.engines import Engine
    from cellcount.photos.slide import Slide


class TiledEngine:
    """Shows an engine one tile after the other, each resized to what the detector sees.

    One tile shows a photo that is no larger; where cells are to be ``alike``, it is not enlarged.

    Args:
        engine: finds the boxes of a tile.
        side: of a tile, in pixels of the photo.
        alike: whether cells are to be magnified alike on all photos, the smaller ones too.

    Raises:
        CellCountError: the tiles are too small, or the detector would see them distorted.
    """

    def __init__(self, engine: "Engine", side: int, *, alike: bool = False) -> None:
        check(side)
        if np.ptp(engine.img_size):
            width, height = engine.img_size  # type: ignore[misc]
            raise CellCountError(
                f"This model stretches every photo to {width} x {height} pixels, which would "
                "distort square tiles: count without tiles, or train it with one number as "
                "image size."
            )
        self.name, self.classes, self.meta = engine.name, engine.classes, engine.meta
        self.img_size = engine.img_size
        self._engine, self._side, self._least = engine, side, side if alike else 0

    def prepare(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The photo (height, width, 3) as it is: all its tiles at once would take more memory."""
        return photo

    def find(self, prepared: "NDArray[np.uint8] | Slide", threshold: float) -> Detections:
        """The boxes with a score above the threshold, in pixels of the photo."""
        height, width = prepared.shape[:2]
        tiles = cut(width, height, self._side)
        shown = read_ahead(tiles, partial(self._show, prepared))
        bar = Bar(shown, total=len(tiles), unit="tile", leave=False, disable=len(tiles) == 1)
        blank: dict[Any, Detections] = {}
        found = []
        for tile, read in bar:
            alike, ready = read()
            one = blank.get(alike) or self._engine.find(ready, threshold)
            if alike is not None:
                blank[alike] = one
            found.append(self._counted(tile, one))
        boxes, scores, labels = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(-scores, kind="stable")
        return Detections(boxes[order], scores[order], labels[order])

    def _show(self, photo: "NDArray[np.uint8] | Slide", tile: Tile) -> tuple[Any, Any]:
        """What the engine is shown, and by what tiles of a single colour are alike, if it is one.

        A slide has many of them where nothing was scanned. As the same pixels give the same boxes,
        those of one do for all.
        """
        xmin, ymin, xmax, ymax = tile.seen
        seen = widened(photo[ymin:ymax, xmin:xmax], self._least)
        colour = seen[0, 0]
        alike = (seen[::16, ::16] == colour).all() and (seen == colour).all()
        return (seen.shape, colour.tobytes()) if alike else None, self._engine.prepare(seen)

    def _counted(self, tile: Tile, found: Detections) -> Any:
        xmin, ymin, xmax, ymax = tile.seen
        boxes = found.boxes + np.array([xmin, ymin, xmin, ymin])
        mine = tile.counts(boxes) & (boxes[:, 0] < xmax)  # none lies in the padding alone
        boxes = np.minimum(boxes, np.tile([xmax, ymax], 2))
        return boxes[mine], found.scores[mine], found.labels[mine]
