"""LabelMe's JSON: a file a photo, with shapes in pixels (github.com/wkentaro/labelme)."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cellcount.labels.formats.content import by_file, load, loaded
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, ellipse, point
from cellcount.labels.outlines import Ring
from cellcount.labels.voc import Box

IMAGES = "."  # a JSON beside each photo
_OUTLINES = ("polygon", "rectangle", "mask", "oriented_rectangle")


def mine(path: Path) -> bool:
    """Whether a file is LabelMe's."""
    content = loaded(path)
    return isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys()


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    content = load(path)
    shapes = [
        shape
        for number, entry in enumerate(content["shapes"], start=1)
        for shape in _shapes(entry, f"shape {number}")
    ]
    stated = content.get("imageWidth") or 0, content.get("imageHeight") or 0
    photo = photos.find(str(content["imagePath"] or path.stem), path)
    yield photos.labelled(photo, stated, shapes, path)


read = by_file(_read, "LabelMe")


def _shapes(entry: dict[str, Any], who: str) -> Iterator[Shape]:
    label, points = str(entry["label"]), entry["points"]
    kind = entry.get("shape_type") or "polygon"  # the first versions had no other
    if kind in _OUTLINES:
        shape = bounds(label, points, who)
        if kind == "mask":  # whose last row and column are given
            shape = shape._replace(xmax=shape.xmax + 1, ymax=shape.ymax + 1)
        yield shape
    elif kind == "circle":
        middle, edge = points
        radius = math.dist(middle, edge)
        yield ellipse(label, (middle[0], middle[1]), (radius, radius), who)
    elif kind in ("point", "points"):
        yield from (point(label, position, who) for position in points)
    else:
        raise Wrong(f"{who} is a {kind}, which marks no cell: delete it")


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write a JSON for each photo; the photos are copied by who calls."""
    for one in labelled:
        photo = one.annotation
        content: dict[str, Any] = {
            "version": "5.4.1",
            "flags": {},
            "shapes": [_entry(box) for box in photo.boxes],
            "imagePath": photo.filename,
            "imageData": None,
            "imageHeight": photo.height,
            "imageWidth": photo.width,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (target / f"{one.stem}.json").write_text(text, encoding="utf-8")


def _entry(box: Box) -> dict[str, Any]:
    outline = box.fitting
    points: Ring = ((box.xmin, box.ymin), (box.xmax, box.ymax))
    if whole := len(outline) == 1:  # several parts would be several cells
        points = outline[0]
    return {
        "label": box.label,
        "points": [[*point] for point in points],
        "group_id": None,
        "shape_type": "polygon" if whole else "rectangle",
        "flags": {},
    }
