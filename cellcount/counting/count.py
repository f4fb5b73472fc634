"""From detections to counts: which score is a cell, and how many there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.calibration.classes import Share, apportion, share, summed
from cellcount.calibration.intervals import Calibration, Estimate
from cellcount.files import printable


class Number(NamedTuple):
    """How many cells there are, and the interval of that; None if none is learned."""

    n: int
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        """The number and its interval, as 80 (74 to 87)."""
        return str(self.n) if self.low is None else f"{self.n} ({self.low} to {self.high})"

    @property
    def estimate(self) -> Estimate:
        """The same with an interval of no width if none is learned."""
        low, high = (self.n if end is None else end for end in (self.low, self.high))
        return Estimate(self.n, low, high)


@dataclass(frozen=True)
class Count:
    """The number of cells on one photo, ``n``, and the boxes of those found.

    With a probability of 95 % the true number lies from ``low`` to ``high``; both are None if the
    checkpoint has learned no interval. What the interval trusts in, and what it does not cover, is
    said in :mod:`cellcount.calibration.intervals`.

    ``boxes`` is (n, 4): xmin, ymin, xmax, ymax in pixels of the upright photo, the surest first;
    ``scores`` is (n,). There are less than n where more cells are expected than have a box.

    Of a detector of several classes ``by_class`` has the number of each, which add up to ``n``, and
    ``kinds`` (n,) the class of each box; of others they are empty and None.

    ``why`` are the reasons for which a person should look at the photo, strongest first: it is
    unlike those that the detector has learned from, and has no interval. None if the checkpoint
    does not know what those were like. ``figures`` are what the photo was judged by.

    ``tile`` is the side in pixels of the squares in which it was counted; None: as a whole.
    ``um_per_px`` is how many micrometres a pixel is wide, if that is known. ``area_px`` is what was
    counted of the photo, in square pixels, and ``outline`` (n, 2) the corners of that region; None
    if it is all of the photo. ``matched`` says that the photo was brought to the brightness of
    those learned from, and was usual then.
    """

    photo: str
    n: int
    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    low: int | None = None
    high: int | None = None
    kinds: NDArray[np.str_] | None = None
    by_class: Mapping[str, Number] = field(default_factory=dict)
    why: tuple[str, ...] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    tile: int | None = None
    um_per_px: float | None = None
    area_px: float | None = None
    outline: NDArray[np.floating] | None = None
    matched: bool = False

    def __str__(self) -> str:
        """The count and its interval, as 80 (74 to 87), those of the classes, and what is odd."""
        classes = ", ".join(f"{name} {number}" for name, number in self.by_class.items())
        whole = str(self.number)
        told = f"{whole}: {classes}" if classes else whole
        told += ", brightness matched" if self.matched else ""
        return f"{told}. Look at it: {', '.join(self.why)}." if self.why else told

    @property
    def number(self) -> Number:
        """How many cells there are in all, with the interval."""
        return Number(self.n, self.low, self.high)

    @property
    def drawn(self) -> dict[str, NDArray[np.floating]]:
        """The boxes of each class; of a detector of one class, all of them under no name."""
        if self.kinds is None:
            return {"": self.boxes}
        return {name: self.boxes[self.kinds == name] for name in self.by_class}

    @property
    def cell_um(self) -> float | None:
        """Side of a box in micrometres, the median over the boxes; None if unknown."""
        if self.um_per_px is None or not len(self.boxes):
            return None
        sides = (self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1) ** 0.5
        return float(np.median(sides) * self.um_per_px)

    @property
    def area_mm2(self) -> float | None:
        """What was counted of the photo, in square millimetres; None if unknown."""
        if self.um_per_px is None or self.area_px is None:
            return None
        return self.area_px * self.um_per_px**2 / 1e6

    @property
    def trust(self) -> str:
        """``ok``, ``look`` where there is a reason to look at the photo, or nothing if unknown."""
        if self.why is None:
            return ""
        return "look" if self.why else "ok"

    def flagged(self, why: tuple[str, ...], figures: Mapping[str, float]) -> "Count":
        """The same with what is unusual about the photo; the interval goes if anything is.

        Args:
            why: reasons, the strongest first.
            figures: of the photo, from which they come.
        """
        if not why:
            return replace(self, why=(), figures=figures)
        numbers = {name: Number(one.n) for name, one in self.by_class.items()}
        return replace(self, low=None, high=None, by_class=numbers, why=why, figures=figures)

    @classmethod
    def of(
        cls,
        photo: str | Path,
        boxes: NDArray[np.floating],
        scores: NDArray[np.floating],
        calibration: Calibration | None = None,
        *,
        kinds: NDArray[np.str_] | None = None,
        by_class: Mapping[str, Calibration | None] | None = None,
    ) -> "Count":
        """Take boxes (n, 4) in pixels of ``photo`` and their scores (n,), in any order.

        The classes share the total among them in the proportions of their own counts.

        Args:
            photo: its path.
            boxes: all candidates if there is a calibration, else cells only.
            scores: of the boxes.
            calibration: weighs the candidates; without one each box is a cell.
            kinds: (n,), the class of each box, if there are several classes.
            by_class: what weighs the boxes of each of these.
        """
        order = np.argsort(-scores, kind="stable")
        boxes, scores, name = boxes[order], scores[order], printable(Path(photo).name)
        whole = Number(len(scores)) if calibration is None else Number(*calibration.count(scores))
        if kinds is None or by_class is None:
            return cls(name, whole.n, boxes[: whole.n], scores[: whole.n], whole.low, whole.high)
        kinds = kinds[order]
        own = {each: scores[kinds == each] for each in by_class}
        means = [
            float(len(own[each])) if weigh is None else weigh.mean(own[each])
            for each, weigh in by_class.items()
        ]
        numbers, kept = {}, np.zeros(len(scores), dtype=bool)
        for (each, weigh), n in zip(by_class.items(), apportion(whole.n, means), strict=True):
            kept[np.flatnonzero(kinds == each)[:n]] = True
            numbers[each] = Number(n)
            if weigh is not None:
                _, low, high = weigh.count(own[each])
                numbers[each] = Number(n, min(n, low), max(n, high))
        kept_of_all = boxes[kept], scores[kept], whole.low, whole.high, kinds[kept]
        return cls(name, whole.n, *kept_of_all, numbers)

    def grouped(self, groups: Mapping[str, Sequence[str]]) -> "Count":
        """The same with some classes put together, and those in no group left out.

        Args:
            groups: the classes of each, by its name.
        """
        if self.kinds is None:
            return self
        name_of = {each: name for name, some in groups.items() for each in some}
        numbers = {name: total([self.by_class[each] for each in groups[name]]) for name in groups}
        kinds = np.array([name_of.get(kind, "") for kind in self.kinds], dtype=str)
        kept = kinds != ""
        whole = Number(self.n, self.low, self.high)
        if len(name_of) < len(self.by_class):
            whole = total(list(numbers.values()))
        return replace(
            self,
            **whole._asdict(),
            boxes=self.boxes[kept],
            scores=self.scores[kept],
            kinds=kinds[kept],
            by_class=numbers,
        )


def total(numbers: Sequence[Number]) -> Number:
    """The sum of numbers of cells, with an interval if all have one."""
    known = [
        Estimate(n, low, high) for n, low, high in numbers if low is not None and high is not None
    ]
    if len(known) < len(numbers):
        return Number(sum(one.n for one in numbers))
    return Number(*summed(known))


def trusted(counts: Sequence[Count]) -> Sequence[Count]:
    """The counts of photos that are like those learned from; all, if none is."""
    return [one for one in counts if not one.why] or counts


def share_of(name: str, photos: Iterable[Mapping[str, Number]]) -> Share:
    """The share of a class among the cells of some photos, taken together, with its interval.

    Args:
        name: of the class.
        photos: the numbers of each class, by its name.
    """
    pairs = [(kind, number.estimate) for photo in photos for kind, number in photo.items()]
    mine = [estimate for kind, estimate in pairs if kind == name]
    return share(mine, [estimate for kind, estimate in pairs if kind != name])
