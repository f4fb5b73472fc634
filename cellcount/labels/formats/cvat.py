"""CVAT's own XML, "CVAT for images 1.1": annotations.xml.

Numbers are pixels, turns are degrees clockwise (docs.cvat.ai, "XML annotation format").
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from cellcount.labels.formats.content import by_file
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, box, ellipse, point
from cellcount.labels.formats.tracing import traced
from cellcount.labels.outlines import Outline
from cellcount.labels.xml import parse, root_tag

_LARGEST = 200_000_000  # pixels of a mask
_NO_SHAPES = ("tag", "attribute")


def mine(path: Path) -> bool:
    """Whether a file is CVAT's own XML."""
    return path.suffix.lower() == ".xml" and root_tag(path) == "annotations"


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    root = parse(path)
    if root.find("track") is not None:
        raise Wrong("it labels a video: export the frames and CVAT for images")
    for image in root.iter("image"):
        name, stated = image.attrib["name"], (image.attrib["width"], image.attrib["height"])
        shapes = [
            shape
            for number, item in enumerate(image, start=1)
            if item.tag not in _NO_SHAPES
            for shape in _shapes(item, f"shape {number} of {name}")
        ]
        width, height = map(int, stated)
        yield photos.labelled(photos.find(name, path), (width, height), shapes, path)


read = by_file(_read, "CVAT")


def _shapes(item: Element, who: str) -> list[Shape]:
    label = item.attrib["label"]
    turned = _number(item, "rotation") if "rotation" in item.attrib else 0.0
    if item.tag == "box":
        left, top, right, bottom = (_number(item, side) for side in ("xtl", "ytl", "xbr", "ybr"))
        found = [box(label, (left, top), (right - left, bottom - top), who, turned)]
    elif item.tag == "ellipse":
        x, y, across, down = (_number(item, name) for name in ("cx", "cy", "rx", "ry"))
        found = [ellipse(label, (x, y), (across, down), who, turned)]
    elif item.tag == "mask":
        left, top, width, height = (
            _number(item, side) for side in ("left", "top", "width", "height")
        )
        whole = box(label, (left, top), (width, height), who)
        found = [whole._replace(outline=_mask(item.attrib["rle"], whole))]
    elif item.tag in ("polygon", "points"):
        points = [
            [float(number) for number in pair.split(",")]
            for pair in item.attrib["points"].split(";")
        ]
        if item.tag == "polygon":
            found = [bounds(label, points, who)]
        else:
            found = [point(label, position, who) for position in points]
    else:
        raise Wrong(f"{who} is a {item.tag}, which marks no cell: delete it")
    said = {one.get("name"): (one.text or "").strip().lower() for one in item.iter("attribute")}
    truncated, difficult = (said.get(mark) == "true" for mark in ("truncated", "difficult"))
    return [shape._replace(truncated=truncated, difficult=difficult) for shape in found]


def _mask(lengths: str, whole: Shape) -> Outline:
    """The outline of a mask inside its bounds: how many pixels are not of it, then are, then not.

    None where there are more or less of them than pixels.
    """
    runs = [int(length) for length in lengths.split(",")]
    left, top, right, bottom = map(round, whole[1:5])
    shape = bottom - top, right - left
    if min(runs) < 0 or sum(runs) != shape[0] * shape[1] or sum(runs) > _LARGEST:
        return ()
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return traced(pixels.reshape(shape), left, top)


def _number(item: Element, name: str) -> float:
    return float(item.attrib[name])
