"""Which picture is taken of a file: the photo by its name, a channel, a slice or several as one."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_laplace

from cellcount.photos.hyperstack import Hyperstack
from cellcount.photos.photo_error import PhotoError
from cellcount.photos.view import COLOURS, MAX, SHARPEST, Inside, View

_RGB = ("red", "green", "blue")


def listed(file: Path, scenes: Sequence[Hyperstack]) -> Iterator[Inside]:
    """Every photo that a file's scenes hold, in order; its name alone if there is one."""
    for number, scene in enumerate(scenes, 1):
        for page in range(1, scene.pages + 1):
            for time in range(1, scene.times + 1):
                yield Inside(
                    file,
                    number if len(scenes) > 1 else None,
                    time if scene.times > 1 else None,
                    page if scene.pages > 1 else None,
                )


def found(which: Inside, scenes: Sequence[Hyperstack]) -> tuple[Hyperstack, int, int]:
    """The scene, the page and the time, from 0, that a name means.

    Raises:
        PhotoError: there is none, or the name does not say which of several.
    """

    def at(what: str, number: int | None, many: int) -> int:
        if number is None and many > 1:
            problem = f"The file holds {many} {what}, each of them a photo."
            first = next(listed(Path(which.file.name), scenes))
            raise PhotoError(which.file, problem, f"Say which one is meant: {first} is the first.")
        if number is not None and number > many:
            problem = f"There are no {number} {what} in it, but {many}."
            raise PhotoError(which.file, problem, "Correct the number in brackets.")
        return 0 if number is None else number - 1

    scene = scenes[at("scenes", which.scene, len(scenes))]
    return scene, at("pages", which.page, scene.pages), at("times", which.time, scene.times)


def picture(file: Path, stack: Hyperstack, page: int, time: int, view: View) -> NDArray[Any]:
    """The picture that is looked at, as the file stores it, of shapes as ``Hyperstack.plane``.

    Where nobody has said which of several channels is meant, it is the one that is not empty, if
    all others are: empty is what has a single value on all slices.

    Raises:
        PhotoError: there is no such channel or slice, or it must be said which channel.
    """
    if stack.colour:
        values = _slice(file, stack, lambda z: stack.plane(page, time, 0, z), view)
        return coloured(file, values, view)
    channel = _channel(file, stack, page, time, view)
    return _slice(file, stack, lambda z: stack.plane(page, time, channel, z), view)


def settled(file: Path, stack: Hyperstack, page: int, time: int, view: View) -> View:
    """The view with the numbers of the channel and of the slice that :func:`picture` takes.

    Raises:
        PhotoError: as there.
    """
    channel = None if stack.colour else _channel(file, stack, page, time, view)
    z = view.z
    if stack.slices > 1 and z in (None, SHARPEST):
        planes = (stack.plane(page, time, channel or 0, one) for one in range(stack.slices))
        z = 1 + int(np.argmax([_sharpness(one) for one in planes]))
    return View(view.channel if channel is None else channel + 1, z)


def coloured(file: Path, values: NDArray[Any], view: View) -> NDArray[Any]:
    """Of a picture (height, width, 3 or more) in colour the channel asked for, or all of it.

    Raises:
        PhotoError: red, green and blue are all it has.
    """
    wanted = str(view.channel).lower()
    if view.channel is None or wanted == COLOURS:
        return values
    if wanted in _RGB or wanted in ("1", "2", "3"):
        return values[..., _RGB.index(wanted) if wanted in _RGB else int(wanted) - 1]
    problem = f"The photo is in colour and has no channel {view.channel}, only red, green and blue."
    raise PhotoError(file, problem, "Name one of these, or leave --channel out.")


def _channel(file: Path, stack: Hyperstack, page: int, time: int, view: View) -> int:
    """The number of the channel, from 0."""
    names = [name.casefold() for name in stack.names]
    wanted = str(view.channel).casefold()
    if view.channel is not None and wanted != COLOURS:
        if wanted in names:
            return names.index(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= stack.channels:
            return int(wanted) - 1
        if stack.channels == 1 and not names and not wanted.isdecimal():
            return 0  # whose name the file does not know
        problem = f"The file has no channel {view.channel}. It has {_told(stack)}."
        raise PhotoError(file, problem, _cure(stack))
    if stack.channels == 1:
        return 0
    filled = [
        channel
        for channel in range(stack.channels)
        if any(np.ptp(stack.plane(page, time, channel, z)) for z in range(stack.slices))
    ]
    if len(filled) > 1:
        problem = f"The file has several channels, {_told(stack)}, and nobody has said which one."
        raise PhotoError(file, problem, _cure(stack))
    return filled[0] if filled else 0


def _told(stack: Hyperstack) -> str:
    names = stack.names or [""] * stack.channels
    return ", ".join(f"{number} {name}".rstrip() for number, name in enumerate(names, 1))


def _cure(stack: Hyperstack) -> str:
    name = (stack.names or ["1"])[0]
    return f"Name the one to count: --channel {shlex.quote(name)}, or View(channel={name!r})."


def _slice(
    file: Path, stack: Hyperstack, plane: Callable[[int], NDArray[Any]], view: View
) -> NDArray[Any]:
    """One picture of all slices, of which no more than two are in memory."""
    if view.z is not None and str(view.z).isdecimal():
        if int(view.z) > stack.slices:
            problem = f"There is no slice {view.z}: there are {stack.slices}."
            raise PhotoError(file, problem, "Give another number, max or sharpest.")
        return plane(int(view.z) - 1)
    best, most = plane(0), None
    for number in range(1, stack.slices):
        one = plane(number)
        if view.z == MAX:
            best = np.maximum(best, one)
            continue
        most = _sharpness(best) if most is None else most
        if (sharp := _sharpness(one)) > most:
            best, most = one, sharp
    return best


def _sharpness(values: NDArray[Any]) -> float:
    """How much edges stand out: the variance of the Laplacian, smoothed so that noise is no edge.

    Source: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    grey = values if values.ndim == 2 else values[..., :3].mean(axis=2)
    return float(gaussian_laplace(np.nan_to_num(grey.astype(np.float32)), 1.5).var())
