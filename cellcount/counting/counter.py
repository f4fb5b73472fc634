"""A trained checkpoint that counts photos: one, or a folder of them."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from cellcount.calibration.classes import Share, share
from cellcount.calibration.intervals import Calibration, Estimate
from cellcount.counting import engines
from cellcount.counting.count import Count, Number
from cellcount.counting.detections import Detections
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.detector.training import LEAST_SCORE
from cellcount.errors import CellCountError
from cellcount.photos.reading import PhotoError, pixels_of


class Counter:
    """The detector in a checkpoint that train.ipynb saved, ready to count.

    It shrinks each photo to the image size that it was trained with. Where that would leave cells
    only a few pixels wide, as on a whole slide stitched of many fields, count with ``tile``: the
    photo is cut into overlapping squares of so many of its pixels a side, each is shrunk by itself,
    and each cell is counted once (:mod:`cellcount.photos.tiles`). A tile should look like a photo
    that the detector has learned from, with cells as large beside it: for a stitched slide that is
    the side of one field. It must be four times as long as the longest cell. The interval trusts
    that the tiles are such photos.

    Args:
        checkpoint: the file; class names, image size, backbone and calibration come from its meta.
        threshold: the score above which a box is a cell, in the place of all that the checkpoint
            has learned about counting; there is no interval then.
        engine: what computes it: ``auto`` (OpenVINO where it is installed and the detector can be
            exported, else torch), ``openvino`` or ``torch``. All find the same boxes. The first
            time, OpenVINO exports the detector, which takes a quarter of a minute; the export is
            kept beside the checkpoint.

    Raises:
        CellCountError: the file is missing, damaged, or says too little to count with; or the
            engine is not installed or cannot compute this detector.
    """

    def __init__(
        self, checkpoint: str | Path, threshold: float | None = None, engine: str = "auto"
    ) -> None:
        self._engine = engines.load(checkpoint, engine)
        meta = self._engine.meta
        if threshold is None and "threshold" not in meta:
            raise CellCountError(
                f"{checkpoint} does not say above which score a box is a cell: give a threshold, "
                "or save it with the last cells of train.ipynb."
            )
        self.threshold = float(meta["threshold"] if threshold is None else threshold)
        learned = threshold is None and "calibration" in meta
        self.calibration = Calibration.from_meta(meta["calibration"]) if learned else None
        self.tile: int | None = meta.get("tile")
        stored = meta.get("by_class", {}) if learned else {}
        self._by_class = {
            name: Calibration.from_meta(stored[name]) if name in stored else self.calibration
            for name in self.classes
        }
        self._groups: Mapping[str, Sequence[str]] | None = None

    @property
    def engine(self) -> str:
        """What computes the detector: ``openvino`` or ``torch``."""
        return self._engine.name

    @property
    def classes(self) -> list[str]:
        """The kinds of cells it tells apart."""
        return self._engine.classes

    def group(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Count some classes together, and leave those out that are in no group.

        Args:
            groups: the detector's classes of each group, by its name.

        Raises:
            CellCountError: the detector knows no such class.
        """
        unknown = {name for some in groups.values() for name in some} - {*self.classes}
        if unknown:
            raise CellCountError(
                f"This detector knows no class {min(unknown)!r}; it knows: "
                f"{', '.join(self.classes)}."
            )
        self._groups = groups

    def find(
        self,
        photo: str | Path | NDArray[np.uint8],
        threshold: float = LEAST_SCORE,
        tile: int | None = None,
    ) -> Detections:
        """All boxes above a threshold, as arrays.

        Args:
            photo: its path, or its upright pixels (height, width, 3).
            threshold: of the scores.
            tile: pixels a side, if the photo is to be cut into other tiles than in training.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: such tiles cannot be counted.
        """
        engine = self._on_tiles(tile)
        return engine.find(_prepare(engine, photo), threshold)

    def count(self, photo: str | Path, tile: int | None = None) -> Count:
        """Count the cells on one photo.

        Args:
            photo: its path.
            tile: pixels a side, if the photo is to be cut into other tiles than in training.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: such tiles cannot be counted.
        """
        engine = self._on_tiles(tile)
        return self._count(engine, photo, _prepare(engine, photo))

    def count_all(
        self, photos: Iterable[str | Path], table: str | Path, tile: int | None = None
    ) -> list[Count]:
        """Count many photos, with a progress bar; each count is in ``table`` as soon as it is made.

        A photo that cannot be read is named with its reason and left out.

        Args:
            photos: paths of photos.
            table: CSV to write, columns photo, count, low and high, and for each of several classes
                its count, low, high and share in percent; an older one is replaced.
            tile: pixels a side, if the photos are to be cut into other tiles than in training.

        Raises:
            CellCountError: such tiles cannot be counted, or the table cannot be written.
        """
        engine = self._on_tiles(tile)
        counts = []
        listed = list(photos)
        with _writable(Path(table)) as file:
            rows = csv.writer(file)
            rows.writerow(["photo", "count", "low", "high", *self._columns()])
            # Of photos so large that they need tiles, only one is in memory.
            prepare = partial(_prepare, engine)
            each = (
                _in_turn(listed, prepare)
                if engine is not self._engine
                else _read_ahead(listed, prepare)
            )
            for photo, prepared in tqdm(each, total=len(listed), unit="photo", leave=False):
                try:
                    one = self._count(engine, photo, prepared())
                except PhotoError as error:
                    tqdm.write(f"Left out: {error}")
                    continue
                counts.append(one)
                rows.writerow([one.photo, one.n, one.low, one.high, *_cells(one)])
                file.flush()
        return counts

    def share(self, name: str, counts: Sequence[Count]) -> Share:
        """The share of a class among the cells of photos, taken together.

        Args:
            name: of the class, or of a group.
            counts: of the photos, by this counter.

        Raises:
            CellCountError: there is no such class.
        """
        if not counts or name not in counts[0].by_class:
            raise CellCountError(
                f"No class {name!r} was counted, among others: only of several there are shares."
            )
        mine = [one.by_class[name] for one in counts]
        others = [each for one in counts for kind, each in one.by_class.items() if kind != name]
        return share(*([_known(each) for each in some] for some in (mine, others)))

    def _columns(self) -> list[str]:
        names = self._groups or (self.classes if len(self.classes) > 1 else [])
        return [column for name in names for column in (name, *(f"{name} {what}" for what in _OF))]

    def _on_tiles(self, tile: int | None) -> engines.Engine:
        side = self.tile if tile is None else tile
        return self._engine if side is None else TiledEngine(self._engine, side)

    def _count(self, engine: engines.Engine, photo: str | Path, prepared: Any) -> Count:
        least = self.threshold if self.calibration is None else LEAST_SCORE
        found = engine.find(prepared, least)
        return self.weigh(photo, found)

    def weigh(self, photo: str | Path, found: Detections) -> Count:
        """The count of a photo on which this was found by :meth:`find`."""
        if len(self.classes) < 2:
            return Count.of(photo, found.boxes, found.scores, self.calibration)
        kinds = np.array(self.classes, dtype=str)[found.labels - 1]
        count = Count.of(
            photo,
            found.boxes,
            found.scores,
            self.calibration,
            kinds=kinds,
            by_class=self._by_class,
        )
        return count if self._groups is None else count.grouped(self._groups)


_OF = ("low", "high", "%")


def _cells(count: Count) -> list[int | float | None]:
    """What the table says of each class."""
    each = count.by_class.values()
    return [
        value
        for one in each
        for value in (*one, round(100 * one.n / count.n, 1) if count.n else None)
    ]


def _known(number: Number) -> Estimate:
    """With an interval of no width where none is learned."""
    low, high = (number.n if end is None else end for end in number[1:])
    return Estimate(number.n, low, high)


def _writable(table: Path) -> TextIO:
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        return table.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise CellCountError(
            f"The table {table} cannot be written ({error.strerror}): close the program that shows "
            "it, or choose another name."
        ) from error


_Prepare = Callable[[str | Path], Any]


def _prepare(engine: engines.Engine, photo: str | Path | NDArray[np.uint8]) -> Any:
    return engine.prepare(pixels_of(photo))


def _in_turn(
    photos: list[str | Path], prepare: _Prepare
) -> Iterator[tuple[str | Path, Callable[[], Any]]]:
    """Each photo, and what reads it."""
    return ((photo, partial(prepare, photo)) for photo in photos)


def _read_ahead(
    photos: list[str | Path], prepare: _Prepare
) -> Iterator[tuple[str | Path, Callable[[], Any]]]:
    """Each photo once it is read, while the next one, and no more, is being read."""
    with ThreadPoolExecutor(1) as pool:
        following = [pool.submit(prepare, photo) for photo in photos[:1]]
        for number, photo in enumerate(photos):
            present = following.pop()
            present.exception()  # waits
            following += [pool.submit(prepare, next) for next in photos[number + 1 :][:1]]
            yield photo, present.result
