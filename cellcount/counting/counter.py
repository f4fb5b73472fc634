"""A trained checkpoint that counts photos: one, or a folder of them."""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellcount.bars import Bar
from cellcount.calibration.classes import Share
from cellcount.calibration.intervals import Calibration
from cellcount.calibration.usual import Usual
from cellcount.counting import engines
from cellcount.counting.best_look import Best, best_look
from cellcount.counting.count import Count, share_of, trusted
from cellcount.counting.detections import Detections
from cellcount.counting.looking import Looking, Seen
from cellcount.counting.reading_ahead import read_ahead
from cellcount.counting.recalibration import recalibrate
from cellcount.counting.regions import Region
from cellcount.counting.table import CountTable, names_of
from cellcount.counting.workers import Counted, Crew, order
from cellcount.detector.training import LEAST_SCORE
from cellcount.errors import CellCountError
from cellcount.files import digest
from cellcount.labels.confirmed import labelled_photos
from cellcount.photos.reading import PhotoError, list_photos, photos_in
from cellcount.photos.view import View
from cellcount.setup.packages import INSTALL

if TYPE_CHECKING:
    from cellcount.counting.notebook.explorer import Explorer
    from cellcount.counting.notebook.folder import CountedFolder


class Counter:
    """The detector in a checkpoint that train.ipynb saved, ready to count.

    It shrinks each photo to the image size that it was trained with. Where that would leave cells
    only a few pixels wide, as on a whole slide stitched of many fields, the photo is cut into
    overlapping squares, each is shrunk by itself, and each cell is counted once
    (:mod:`cellcount.photos.tiles`). A photo much larger than those learned from, and unlike them as
    a whole, is looked at both ways, and counted the way in which its cells are as large as those
    were; ``tile`` says how large the squares are to be instead. They should look like photos that
    the detector has learned from, with cells as large beside them: for a stitched slide that is the
    side of one field, and four times the longest cell at least. A detector of any cell looks until
    cells are as large as it knows them best (:mod:`cellcount.counting.cell_size`).

    Of a photo that is unlike those learned from the count says why, and gives no interval
    (:mod:`cellcount.calibration.usual`). If that is for its brightness or contrast, and bringing it
    to the levels of those photos makes it like them, it is counted so, and the count says that.

    Args:
        checkpoint: the file; class names, image size, backbone and calibration come from its meta.
        threshold: the score above which a box is a cell, in the place of all that the checkpoint
            has learned about counting; there is no interval then.
        engine: what computes it: ``auto`` (OpenVINO where it is installed and the detector can be
            exported, else torch), ``openvino`` or ``torch``, which takes a graphics card where
            there is one. All find the same boxes. The first time, OpenVINO exports the detector,
            which takes a quarter of a minute; the export is kept beside the checkpoint. Or one that
            has been loaded from it.
        scale: for photos of another objective: how large cells lie in them, in pixels, beside those
            of the photos learned from; 0.5 at half the magnification. Tiles are as large as shows
            cells at the size learned, and a photo smaller than that is not enlarged.
        view: which channel and slice of photos that have several; that of the photos learned from,
            if left out.
        um_per_px: micrometres of a pixel, in the place of what the photos' files say. If those of
            the photos learned from are known too, photos of another objective are counted at the
            scale that fits.
        region: the part of photos that is counted, and ``edges``, which cells at its edge:
            :meth:`Region.asked`.

    Raises:
        CellCountError: the file is missing, damaged, or says too little to count with; or the
            engine is not installed or cannot compute this detector.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        threshold: float | None = None,
        engine: str | engines.Engine = "auto",
        *,
        scale: float | None = None,
        view: View | None = None,
        um_per_px: float | None = None,
        region: str | None = None,
        edges: str = "all",
    ) -> None:
        self._checkpoint = checkpoint
        self._engine = engines.load(checkpoint, engine) if isinstance(engine, str) else engine
        meta = self._engine.meta
        if threshold is None and "threshold" not in meta:
            raise CellCountError(
                f"{checkpoint} does not say above which score a box is a cell: give a threshold, "
                "or save it with the last cells of train.ipynb."
            )
        if threshold is not None and not 0 <= threshold <= 1:
            raise CellCountError(
                f"A threshold of {threshold:g} means nothing: scores lie from 0 to 1."
            )
        part = Region.asked(region, edges)
        self._asked: dict[str, Any] = {
            **{"threshold": threshold, "scale": scale, "um_per_px": um_per_px},
            **{"region": region, "edges": edges},
        }
        self.threshold = float(meta["threshold"] if threshold is None else threshold)
        learned = threshold is None and "calibration" in meta
        self.calibration = Calibration.from_meta(meta["calibration"]) if learned else None
        self.tile: int | None = meta.get("tile")
        stored = meta.get("by_class", {}) if learned else {}
        self._by_class = {
            name: Calibration.from_meta(stored[name]) if name in stored else self.calibration
            for name in self.classes
        }
        self.usual = Usual.from_meta(meta["usual"]) if "usual" in meta else None
        self.view = view or View.learned(meta)
        self._looking = Looking(
            self._engine, self.tile, scale, um_per_px, self.view, meta.get("cell_side"), part
        )
        self._looking.engine_for(None, self.usual)
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
            CellCountError: the detector knows no such class, or one is named twice.
        """
        if len(self.classes) < 2:
            raise CellCountError("This detector knows one class only: there is none to choose.")
        named = [name for some in groups.values() for name in some]
        unknown = {*named} - {*self.classes}
        if unknown:
            raise CellCountError(
                f"This detector knows no class {min(unknown)!r}; it knows: "
                f"{', '.join(self.classes)}."
            )
        for name in named:
            if named.count(name) > 1:
                raise CellCountError(f"The class {name!r} would be counted twice: name it once.")
        self._groups = groups

    def at(self, threshold: float | None, view: View | None = None) -> "Counter":
        """The same detector with another threshold, or another view of photos; loads nothing.

        Raises:
            CellCountError: no such score can be.
        """
        asked = {**self._asked, "threshold": threshold}
        other = Counter(self._checkpoint, engine=self._engine, view=view or self.view, **asked)
        other._groups = self._groups
        return other

    def calibrate(self, folder: str | Path, out: str | Path) -> "Counter":
        """A counter for photos like some labelled ones: :func:`recalibrate`, which takes seconds.

        Args:
            folder: labelled photos that the detector has not learned from.
            out: checkpoint to write.

        Raises:
            CellCountError: no cell is labelled, or the detector does not see them.
        """
        with self.view.chosen_for_all():
            photos = labelled_photos(folder, tell=True)
            recalibrate(
                self._checkpoint,
                photos,
                out,
                find=self._find_as_it_is,
                classes=self.classes,
                tile=self.tile,
            )
        return Counter(out, engine=self.engine)

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
        return self._find(self.see(photo, tile), threshold).found

    def see(self, photo: str | Path | NDArray[np.uint8], tile: int | None = None) -> Seen:
        """Read a photo, for the detector to be run on it once whoever counts it.

        Args:
            photo: its path, or its upright pixels (height, width, 3).
            tile: pixels a side, if the photo is to be cut into other tiles than in training.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: such tiles cannot be counted.
        """
        return self._looking.see(photo, tile, self.usual)

    def count(self, photo: str | Path, tile: int | None = None) -> Count:
        """Count the cells on one photo.

        Args:
            photo: its path.
            tile: pixels a side, if the photo is to be cut into other tiles than in training.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: such tiles cannot be counted.
        """
        return self.find_and_count(photo, tile)[1]

    def find_and_count(
        self, photo: str | Path, tile: int | None = None, *, seen: Seen | None = None
    ) -> tuple[Detections, Count]:
        """What :meth:`find` finds above its least score in the region, and the count of it.

        Args:
            photo: its path.
            tile: pixels a side, if the photo is to be cut into other tiles than in training.
            seen: what :meth:`see` gave for it, from this counter or from one that is :meth:`at`
                another threshold.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: such tiles cannot be counted.
        """
        return self._count(photo, self.see(photo, tile) if seen is None else seen)

    def recount(self, found: Detections, count: Count) -> Count:
        """A photo's count by this counter, from what another one has made of it.

        Args:
            found: on the photo, by :meth:`find_and_count` of a counter with a threshold, which is
                that of this one :meth:`at` any other.
            count: the count that came of it.
        """
        kept = ("tile", "um_per_px", "area_px", "outline", "matched")
        as_before = {name: getattr(count, name) for name in kept}
        made = replace(self._weigh(count.photo, found), **as_before)
        return made if count.why is None else made.flagged(count.why, count.figures)

    def table(self, path: str | Path, tile: int | None = None) -> CountTable:
        """The table that counts by this counter are written to, a context.

        Args:
            path: CSV to write.
            tile: pixels a side, if photos are cut into other tiles than in training.
        """
        classes = [*self._groups] if self._groups else self.classes
        part = self._looking.region
        edges = None if part.edges == "all" else part.edges
        of_photos = {"region": part.name or None, "edges": edges}
        asked = self._asked | of_photos | vars(self.view) | {"tile": tile, "classes": self._groups}
        options = ", ".join(f"{name} {value}" for name, value in asked.items() if value is not None)
        model = f"{Path(self._checkpoint).name} {digest(Path(self._checkpoint))}"
        shown = classes if len(self.classes) > 1 else []
        return CountTable(Path(path), shown, model, options)

    def count_all(
        self,
        photos: Iterable[str | Path],
        table: str | Path,
        tile: int | None = None,
        *,
        anew: bool = False,
        crew: Crew | None = None,
    ) -> list[Count]:
        """Count many photos, with a progress bar; each count is in ``table`` as soon as it is made.

        Photos that ``table`` has counts of, by the same model and options, are not counted again;
        their counts have no boxes. A photo that cannot be read is named with its reason, there too,
        and is not among the counts. Of a file that holds several photos each is counted, under a
        name such as ``a.tif[T3,S1]``.

        Args:
            photos: their paths. In the table they go by their path from the folder that all are in.
            table: CSV to write, columns photo, count, low and high, for each of several classes its
                count, low, high and share in percent; trust (ok, look or failed) and why; the tile
                in pixels if it was counted in tiles; seconds, and what has counted it.
            tile: pixels a side, if the photos are to be cut into other tiles than in training.
            anew: count all, so that each count has its boxes.
            crew: other processes to count in: :func:`cellcount.counting.workers.processes`, or
                :func:`cellcount.counting.cluster.dask_cluster`.

        Raises:
            CellCountError: such tiles cannot be counted, the table cannot be written, or another
                run is writing it.
        """
        self._looking.engine_for(tile, self.usual)
        names = names_of(one for photo in photos for one in photos_in(photo, self.view))
        with self.table(table, tile) as rows:
            counts = {} if anew else rows.kept(names)
            left = {photo: name for name, photo in names.items() if name not in counts}
            each = self._in_turn([*left], tile)
            if crew is not None and left:
                each = crew(order(self, self._checkpoint, tile), [*left])
            with closing(each):  # which ends its processes, whatever happens here
                bar = Bar(each, initial=len(counts), total=len(names), unit="photo", leave=False)
                for photo, told, seconds in bar:
                    if isinstance(told, PhotoError):
                        Bar.write(f"Left out: {told}")
                        rows.fail(left[photo], f"{told.problem} {told.cure}")
                        continue
                    one = replace(told, photo=left[photo])
                    counts[one.photo] = one
                    rows.add(one, seconds)
        return [counts[name] for name in names if name in counts]

    def count_folder(
        self, folder: str | Path, table: str | Path | None = None, tile: int | None = None
    ) -> "CountedFolder":
        """Count the photos right in a folder: :meth:`count_all`, as a notebook shows it.

        Args:
            folder: of photos.
            table: CSV to write; ``out``, the name of the folder and ``.csv`` if left out.
            tile: pixels a side, if the photos are to be cut into other tiles than in training.

        Raises:
            CellCountError: there is no such folder, or it holds no photo; or as for
                :meth:`count_all`.
        """
        from cellcount.counting.notebook.folder import CountedFolder

        photos = names_of(one for file in list_photos(folder) for one in photos_in(file, self.view))
        table = Path(table or f"out/{Path(folder).resolve().name}.csv")
        counts = self.count_all([*photos.values()], table, tile)
        return CountedFolder.of(counts, table, photos, self.view)

    def explore(self, photo: str | Path | None = None) -> "Explorer":
        """Move the threshold in a notebook, and see boxes and count; for photos uploaded there too.

        Args:
            photo: its path; none, if one is to be uploaded.

        Raises:
            PhotoError: the photo cannot be read.
            CellCountError: ipywidgets is not installed.
        """
        try:
            from cellcount.counting.notebook.explorer import Explorer
        except ImportError as error:
            raise CellCountError(
                f"There is no slider without ipywidgets ({error}): install it ({INSTALL}), or use "
                "counter.count(photo)."
            ) from error
        return Explorer(self.at_any_threshold, self.threshold, self.view, photo)

    def at_any_threshold(self, photo: str | Path) -> Callable[[float | None], Count]:
        """Look at a photo once, and return what counts it at any threshold, as often as you like.

        What it is given counts as the ``threshold`` of a counter; None is this counter's own.

        Args:
            photo: its path.

        Raises:
            PhotoError: the photo cannot be read.
        """
        seen = self.see(photo)

        def count(threshold: float | None) -> Count:
            counter = self if threshold is None else self.at(threshold)
            return counter._count(photo, seen)[1]

        return count

    def share(self, name: str, counts: Sequence[Count]) -> Share:
        """The share of a class among the cells counted on photos, taken together.

        Photos that are unlike those learned from are left out, unless all are.

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
        return share_of(name, [one.by_class for one in trusted(counts)])

    def _find_as_it_is(self, photo: Path) -> Detections:
        """:meth:`find` in the light in which such photos will be usual once they are learned."""
        usual = None if self.usual is None else replace(self.usual, levels=None)
        return self._find(self._looking.see(photo, None, usual), LEAST_SCORE).found

    def _in_turn(self, photos: list[Path], tile: int | None) -> Generator[Counted, None, None]:
        """Count photos in this process."""
        # Of photos that are to be cut into tiles, only one is in memory.
        engine = self._looking.engine_for(tile, self.usual)
        see = partial(self._looking.see, tile=tile, usual=self.usual)
        began = time.perf_counter()
        ahead = read_ahead(photos, see)
        if engine is not self._engine:
            ahead = ((photo, partial(see, photo)) for photo in photos)
        for photo, seen in ahead:
            told: Count | PhotoError
            try:
                told = self._count(photo, seen())[1]
            except PhotoError as error:
                told = error
            ended = time.perf_counter()
            yield Counted(photo, told, ended - began)
            began = ended

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle how it was made: whoever unpickles it loads the checkpoint."""
        checkpoint = Path(self._checkpoint).absolute()
        return _made_again, (checkpoint, self._asked, self.engine, self.view, self._groups)

    def _count(self, photo: str | Path, seen: Seen) -> tuple[Detections, Count]:
        found, way, unlike = self._find(seen, min(LEAST_SCORE, self.threshold))
        found, outline = found.only(seen.outline.counted(found.boxes)), seen.outline
        count = replace(
            self._weigh(photo, found),
            tile=way.tile,
            um_per_px=seen.um_per_px,
            area_px=outline.area,
            outline=outline.corners,
            matched=way.matched,
        )
        return found, count if unlike is None else count.flagged(*unlike)

    def _find(self, seen: Seen, threshold: float) -> Best:
        side = self._looking.cell_side
        return best_look(seen, threshold, self.usual, self.calibration, side)

    def _weigh(self, photo: str | Path, found: Detections) -> Count:
        if self.calibration is None:
            found = found.only(found.scores > self.threshold)
        count = Count.of(
            photo,
            found.boxes,
            found.scores,
            self.calibration,
            kinds=found.kinds(self.classes),
            by_class=self._by_class,
        )
        return count if self._groups is None else count.grouped(self._groups)


def _made_again(
    checkpoint: Path,
    asked: Mapping[str, Any],
    engine: str,
    view: View,
    groups: Mapping[str, Sequence[str]] | None,
) -> Counter:
    counter = Counter(checkpoint, engine=engine, view=view, **asked)
    if groups is not None:
        counter.group(groups)
    return counter
