"""What a TIFF says of its channels and of the size of its pixels: OME, ImageJ, LSM or plain."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from tifffile import TiffFile

from cellcount.photos.photo_error import check_number

_COARSEST = 10.0  # µm per pixel; a printer's dots, which cameras write there too, are larger
_UM = {  # in micrometres
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "µm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
_INCH, _CENTIMETRE = 2, 3


class Described(NamedTuple):
    """The names of a scene's channels, and how many micrometres a pixel is wide, if it is said."""

    channels: tuple[str, ...] = ()
    um_per_px: float | None = None


def described(path: Path, tiff: TiffFile) -> list[Described]:
    """What is said of each scene; of one for all if the file has no OME metadata.

    Raises:
        PhotoError: OME metadata claim more pictures than any file holds.
    """
    if tiff.ome_metadata:
        try:
            root = ElementTree.fromstring(tiff.ome_metadata)
        except ElementTree.ParseError:
            return [Described()]  # tifffile takes the pages as they are, too
        return [_ome(path, pixels) for pixels in root.iterfind("{*}Image/{*}Pixels")]
    width = _resolution(tiff)
    if tiff.is_imagej:
        said: Mapping[str, Any] = tiff.imagej_metadata or {}
        many, labels = int(said.get("channels", 1)), said.get("Labels") or []
        names = tuple(str(label).splitlines()[0].strip() for label in labels[:many] if label)
        return [Described(names if len({*names}) == many else (), width)]
    if tiff.is_lsm:
        said = tiff.lsm_metadata or {}
        names = tuple((said.get("ChannelColors") or {}).get("ColorNames") or ())
        size = said.get("VoxelSizeX")
        return [Described(names, size * 1e6 if size else None)]
    return [Described((), width)]


def _ome(path: Path, pixels: ElementTree.Element) -> Described:
    size = [_whole(pixels, f"Size{axis}") for axis in "CTZ"]
    blocks = [_whole(data, name) for data in pixels.iterfind("{*}TiffData") for name in _COUNTS]
    check_number(path, max(prod(size), *blocks, 0))  # tifffile makes room for what they claim
    names = tuple(channel.get("Name", "") for channel in pixels.iterfind("{*}Channel"))
    width = pixels.get("PhysicalSizeX")
    unit = _um(pixels.get("PhysicalSizeXUnit", "µm"))
    um_per_px = float(width) * unit if width and unit else None
    return Described(names, um_per_px if um_per_px and um_per_px > 0 else None)


_COUNTS = ("IFD", "PlaneCount", "NumPlanes", "FirstC", "FirstT", "FirstZ")


def _whole(element: ElementTree.Element, name: str) -> int:
    return abs(int(element.get(name, 0)))


def _um(unit: str) -> float | None:
    plain = unit.replace("\\u00B5", "µ").replace("μ", "µ").replace("metre", "meter").strip()
    return _UM.get(plain, _UM.get(plain.lower()))


def _resolution(tiff: TiffFile) -> float | None:
    """Micrometres per pixel by the tag XResolution; None where it can only be a printer's."""
    tags = tiff.pages.first.tags
    x, y = (tags.get(name) for name in ("XResolution", "YResolution"))
    if x is None or y is None or not all(one.value[0] and one.value[1] for one in (x, y)):
        return None
    per_unit = x.value[0] / x.value[1]
    if abs(per_unit * y.value[1] / y.value[0] - 1) > 0.01:
        return None
    if tiff.is_imagej:
        unit = _um(str((tiff.imagej_metadata or {}).get("unit", "")))
        return unit / per_unit if unit else None
    kind = tags.get("ResolutionUnit")
    unit = {_INCH: 25_400.0, _CENTIMETRE: 10_000.0}.get(int(kind.value) if kind else _INCH)
    return unit / per_unit if unit and unit / per_unit <= _COARSEST else None
