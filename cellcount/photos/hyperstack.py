"""A scene of a microscope's file: pictures by page, time, channel and slice.

Every kind of file that microscopes write becomes this.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellcount.photos.photo_error import is_large
from cellcount.photos.view import View

Window = tuple[slice, slice]  # rows and columns of an upright picture, with both ends
Axes = Sequence[tuple[str, int]]  # letters with their lengths, as in an array's shape


@dataclass(frozen=True)
class Hyperstack:
    """Pictures of one size; ImageJ's word.

    ``plane`` reads the picture of a page, time, channel and slice, all counted from 0, upright and
    as the file stores it: (height, width), or (height, width, 3 or 4) if it is in ``colour``; given
    a ``Window`` too, that rectangle of it. Pages are what has no known meaning: positions, angles,
    or pages of a TIFF that says nothing of them. ``smaller`` are copies that the file holds.
    """

    plane: Callable[..., NDArray[Any]]
    width: int
    height: int
    pages: int = 1
    times: int = 1
    channels: int = 1
    slices: int = 1
    names: Sequence[str] = ()  # of the channels, where the file names them all
    colour: bool = False
    um_per_px: float | None = None
    unsaid: bool = False  # pages may be slices or channels as well
    smaller: Sequence["Hyperstack"] = ()
    in_parts: bool = False  # a rectangle is read without the rest

    @property
    def is_large(self) -> bool:
        """Whether it is to be read in parts only."""
        return is_large(self.width, self.height)

    def within(self, window: Window) -> "Hyperstack":
        """A rectangle of it."""
        height, width = (one.stop - one.start for one in window)
        part = lambda *which: self.plane(*which, window)  # noqa: E731
        return replace(self, plane=part, width=width, height=height, smaller=())

    def seen(self, view: View) -> "Hyperstack":
        """The same, with pages that nothing is said of as what the view takes them for."""
        plane, smaller = self.plane, [one.seen(view) for one in self.smaller]
        if not self.unsaid:
            return self
        if view.z is not None:
            return replace(
                self,
                pages=1,
                slices=self.pages,
                plane=lambda _, t, c, z, *window: plane(z, t, c, 0, *window),
                smaller=smaller,
            )
        if view.channel is not None and self.channels == 1 and not self.colour:
            return replace(
                self,
                pages=1,
                channels=self.pages,
                plane=lambda _, t, c, z, *window: plane(c, t, 0, z, *window),
                smaller=smaller,
            )
        return self


def of_frames(
    frame: Callable[[int], NDArray[Any]],
    outer: Axes,
    inner: Axes,
    *,
    names: Sequence[str] = (),
    um_per_px: float | None = None,
    unsaid: bool = False,
    part: Callable[[int, Window], NDArray[Any]] | None = None,
    smaller: Sequence[Hyperstack] = (),
) -> Hyperstack:
    """A scene whose pictures lie in frames, as pages of a TIFF.

    Args:
        frame: reads a frame by its number, from 0; an array with the axes ``inner``.
        outer: the axes along which frames are numbered, the last running fastest.
        inner: the axes of a frame: X and Y, S for red, green, blue and opacity, and others.
        names: of the channels (axis C); left out unless there is one for each.
        um_per_px: micrometres per pixel.
        unsaid: whether it is unknown what the outer axes mean.
        part: reads a rectangle of a frame without the rest, if that can be done.
        smaller: copies of the scene.
    """
    axes = [*outer, *inner]
    sizes = dict(inner)
    places: dict[str, list[int]] = {letter: [] for letter in "PTCZ"}
    for place, (axis, _) in enumerate(axes):
        if axis not in "YXS":
            places[axis if axis in "TCZ" else "P"].append(place)
    lengths = {letter: [axes[place][1] for place in mine] or [1] for letter, mine in places.items()}
    order = np.argsort(["YXS".index(axis) for axis, _ in inner if axis in "YXS"])

    def plane(
        page: int, time: int, channel: int, z: int, window: Window | None = None
    ) -> NDArray[Any]:
        index = [0] * len(axes)
        for letter, wanted in zip("PTCZ", (page, time, channel, z), strict=True):
            parts = map(int, np.unravel_index(wanted, lengths[letter]))
            for place, at in zip(places[letter], parts, strict=False):
                index[place] = at
        number = 0
        for (_, length), at in zip(outer, index, strict=False):
            number = number * length + at
        inside = zip(inner, index[len(outer) :], strict=True)
        cut = tuple(slice(None) if axis in "YXS" else at for (axis, _), at in inside)
        if window is not None and part is not None:
            return part(number, window)[cut].transpose(order)
        values = frame(number)[cut].transpose(order)
        return values if window is None else values[window]

    many = prod(lengths["C"])
    return Hyperstack(
        plane,
        sizes["X"],
        sizes["Y"],
        prod(lengths["P"]),
        prod(lengths["T"]),
        many,
        prod(lengths["Z"]),
        names if len(names) == many and all(names) else (),
        "S" in sizes,
        um_per_px,
        unsaid,
        smaller,
        part is not None,
    )


def paste(made: NDArray[Any], part: NDArray[Any], top: int, left: int) -> None:
    """Put into a picture what lies in it of a part at a place that may be outside."""
    below, right = top + part.shape[0], left + part.shape[1]
    made[max(top, 0) : below, max(left, 0) : right] = part[
        max(-top, 0) : len(made) - top, max(-left, 0) : made.shape[1] - left
    ]
