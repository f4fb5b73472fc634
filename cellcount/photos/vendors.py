"""Zeiss, Leica, Nikon and Olympus files, each by a library of the field, loaded when it is needed.

The libraries are no part of the installation; requirements-microscopes.txt lists them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cellcount.photos import czi
from cellcount.photos.hyperstack import Hyperstack, of_frames
from cellcount.photos.photo_error import PhotoError, check_size, explained

_ADD = "python -m pip install -r requirements-microscopes.txt"


def _lif(path: Path) -> Iterator[list[Hyperstack]]:
    from liffile import LifFile

    with LifFile(path) as lif:
        flat = [image for image in lif.images if {"X", "Y"} <= image.sizes.keys()]
        yield [_lif_image(image) for image in flat if not image.is_flim]  # nor cuts into the depth


def _lif_image(image: Any) -> Hyperstack:
    across = image.coords.get("X", ())
    whole = cache(partial(image.asarray, out="memmap"))
    return of_frames(
        lambda _: whole(),
        [],
        [*image.sizes.items()],
        names=[str(name) for name in image.coords.get("C", ())],
        um_per_px=float(across[1] - across[0]) * 1e6 if len(across) > 1 else None,
    )


def _nd2(path: Path) -> Iterator[list[Hyperstack]]:
    from nd2 import ND2File

    with ND2File(path) as nd2:
        sizes = dict(nd2.sizes)
        outer = [one for one in sizes.items() if one[0] not in "CYXS"]
        channels = nd2.metadata.channels or ()
        # A frame has the channels first, and the colours last.
        inner = [(axis, sizes[axis]) for axis in "CYXS" if axis in sizes]
        yield [
            of_frames(
                nd2.read_frame,
                outer,
                inner,
                names=[one.channel.name for one in channels],
                um_per_px=nd2.voxel_size().x,
            )
        ]


def _olympus(path: Path) -> Iterator[list[Hyperstack]]:
    from oiffile import OifFile

    with OifFile(path) as oif:
        series = oif.series[0]
        files = [*series]

        def frame(number: int) -> NDArray[Any]:
            return oif.asarray(files[number])

        height, width = frame(0).shape
        outer = [*zip(series.axes, series.shape, strict=True)]
        said = oif.mainfile.get("Reference Image Parameter", {})
        yield [
            of_frames(
                frame,
                outer,
                [("Y", height), ("X", width)],
                names=[
                    str(oif.mainfile.get(f"GUI Channel {number} Parameters", {}).get("CH Name", ""))
                    for number in range(1, dict(outer).get("C", 1) + 1)
                ],
                um_per_px=said.get("WidthConvertValue") if said.get("WidthUnit") == "um" else None,
            )
        ]


OPENERS: Mapping[str, Callable[[Path], Iterator[list[Hyperstack]]]] = {
    ".czi": czi.scenes,
    ".lif": _lif,
    ".nd2": _nd2,
    ".oib": _olympus,
    ".oif": _olympus,
}


@contextmanager
def opened(path: Path) -> Iterator[list[Hyperstack]]:
    """The scenes of a vendor's file.

    Raises:
        PhotoError: the library for it is not installed, or the file is damaged, larger than the
            limit, or holds no photo.
    """
    try:
        path.open("rb").close()
        with contextmanager(OPENERS[path.suffix.lower()])(path) as scenes:
            if not scenes:
                raise PhotoError(path, "It holds no photo.", "Look into it with its own program.")
            for scene in scenes:
                check_size(path, scene.width, scene.height, in_parts=scene.in_parts)
            yield scenes
    except ModuleNotFoundError as error:
        problem = f"Files of this kind are read by the package {error.name}, which is missing."
        raise PhotoError(path, problem, f"Add it: {_ADD}") from error
    except Exception as error:  # damaged files raise anything
        raise explained(path, error) from error
