"""Zeiss, Leica, Nikon and Olympus files, each by a library of the field, which is loaded when needed.

The libraries are no part of the installation; requirements-microscopes.txt lists them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellcount.photos.hyperstack import Hyperstack
from cellcount.photos.photo_error import PhotoError, check_size, explained

_MOST_BYTES = 4_000_000_000  # of a scene, which these libraries read as a whole
_ADD = "python -m pip install -r requirements-microscopes.txt"


class Scene(NamedTuple):
    """What a library knows of a scene: lengths by axis (T, C, Z, Y, X, samples S, others) in the
    order of its array, the array, and the names of its channels.
    """

    sizes: Mapping[str, int]
    array: Callable[[], NDArray[Any]]
    bytes: int
    names: Sequence[str] = ()
    um_per_px: float | None = None


def _czi(path: Path) -> Iterator[list[Scene]]:
    from xml.etree import ElementTree

    from czifile import CziFile

    with CziFile(str(path)) as czi:
        # Here S is a scene, and 0 the samples of a pixel.
        axes = czi.axes.replace("S", "s").replace("0", "S")
        sizes = dict(zip(axes, czi.shape, strict=True))
        scenes = sizes.pop("s", 1)
        whole = cache(czi.asarray)
        metadata = ElementTree.fromstring(czi.metadata())
        channels = metadata.iterfind("./Metadata/Information/Image/Dimensions/Channels/Channel")
        names = [channel.get("Name", "") for channel in channels]
        width = metadata.findtext("./Metadata/Scaling/Items/Distance[@Id='X']/Value")
        um_per_px = float(width) * 1e6 if width else None

        def array(number: int) -> NDArray[Any]:
            return whole() if "s" not in axes else np.take(whole(), number, axes.index("s"))

        size = prod(czi.shape) * czi.dtype.itemsize
        yield [
            Scene(sizes, lambda number=number: array(number), size, names, um_per_px)  # type: ignore[misc]
            for number in range(scenes)
        ]


def _lif(path: Path) -> Iterator[list[Scene]]:
    from liffile import LifFile

    with LifFile(path) as lif:
        scenes = []
        for image in lif.images:
            if image.is_flim:
                continue
            across = image.coords.get("X", ())
            um_per_px = float(across[1] - across[0]) * 1e6 if len(across) > 1 else None
            names = [str(name) for name in image.coords.get("C", ())]
            scenes.append(Scene(image.sizes, image.asarray, image.nbytes, names, um_per_px))
        yield scenes


def _nd2(path: Path) -> Iterator[list[Scene]]:
    from nd2 import ND2File

    with ND2File(path) as nd2:
        sizes = dict(nd2.sizes)
        positions = sizes.pop("P", 1)
        channels = nd2.metadata.channels or ()
        names = [one.channel.name for one in channels if one.channel is not None]
        yield [
            Scene(
                sizes,
                lambda number=number: nd2.asarray(number if positions > 1 else None),  # type: ignore[misc]
                nd2.nbytes // positions,
                names,
                nd2.voxel_size().x,
            )
            for number in range(positions)
        ]


def _olympus(path: Path) -> Iterator[list[Scene]]:
    from oiffile import OifFile

    with OifFile(path) as oif:
        series = oif.series[0]
        with_pixels = oif.asarray(series.files[0])
        sizes = {
            **dict(zip(series.axes, series.shape, strict=True)),
            "Y": with_pixels.shape[0],
            "X": with_pixels.shape[1],
        }
        about = oif.mainfile
        names = [
            str(about.get(f"GUI Channel {number} Parameters", {}).get("CH Name", ""))
            for number in range(1, sizes.get("C", 1) + 1)
        ]
        said = about.get("Reference Image Parameter", {})
        um_per_px = said.get("WidthConvertValue") if said.get("WidthUnit") == "um" else None
        size = prod(sizes.values()) * with_pixels.itemsize
        yield [Scene(sizes, series.asarray, size, names, um_per_px)]


OPENERS: Mapping[str, Callable[[Path], Iterator[list[Scene]]]] = {
    ".czi": _czi,
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
        if path.is_file():
            with contextmanager(OPENERS[path.suffix.lower()])(path) as scenes:
                if not scenes:
                    raise PhotoError(path, "It holds no photo.", "Look at it in the microscope's program.")
                yield [_stack(path, scene) for scene in scenes]
        else:
            path.open("rb").close()
    except ModuleNotFoundError as error:
        problem = f"Files of this kind are read by the package {error.name}, which is missing."
        raise PhotoError(path, problem, f"Add it: {_ADD}") from error
    except Exception as error:  # damaged files raise anything
        raise explained(path, error) from error


def _stack(path: Path, scene: Scene) -> Hyperstack:
    axes, sizes = [*scene.sizes], scene.sizes
    check_size(path, sizes["X"], sizes["Y"])
    whole = cache(scene.array)
    others = [axis for axis in axes if axis not in "TCZYXS"]
    colour = sizes.get("S", 1) in (3, 4)

    def plane(page: int, time: int, channel: int, z: int) -> NDArray[Any]:
        if scene.bytes > _MOST_BYTES:
            problem = f"It takes {scene.bytes / 1e9:.0f} GB of memory."
            raise PhotoError(path, problem, "Save its scenes as OME-TIFF in the microscope's program.")
        at = {"T": time, "C": channel, "Z": z}
        at |= zip(others, np.unravel_index(page, [sizes[o] for o in others] or [1]), strict=False)
        values = whole()[tuple(slice(None) if axis in "YXS" else at[axis] for axis in axes)]
        order = ["YXS".index(axis) for axis in axes if axis in "YXS"]
        values = values.transpose(np.argsort(order))
        return values if colour or values.ndim == 2 else values[..., 0]

    many = sizes.get("C", 1)
    return Hyperstack(
        plane,
        sizes["X"],
        sizes["Y"],
        pages=prod(sizes[axis] for axis in others),
        times=sizes.get("T", 1),
        channels=many,
        slices=sizes.get("Z", 1),
        names=scene.names if len(scene.names) == many and all(scene.names) else (),
        colour=colour,
        um_per_px=scene.um_per_px,
    )
