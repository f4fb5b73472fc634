"""VGG Image Annotator, versions 1 and 2: a project, or annotations as JSON or CSV.

Shapes are in pixels. The class of a region is its attribute of such a name, else its first one.
"""

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cellcount.labels.formats.content import by_file, load, loaded, whole
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, box, ellipse, point

_PROJECT = "_via_img_metadata"
_CLASS = ("class", "label", "type", "name")


def mine(path: Path) -> bool:
    """Whether a file is VIA's."""
    if path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            return b"region_shape_attributes" in file.readline(10_000)
    content = loaded(path)
    if not isinstance(content, dict) or not content:
        return False
    return _PROJECT in content or all(
        isinstance(entry, dict) and {"filename", "regions"} <= entry.keys()
        for entry in content.values()
    )


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    rows = _table(path) if path.suffix.lower() == ".csv" else _entries(load(path))
    regions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, some in rows:
        regions[name] += some
    for name, some in regions.items():
        shapes = [_shape(one, f"region {i} of {name}") for i, one in enumerate(some, start=1)]
        yield photos.labelled(photos.find(name, path), None, shapes, path)


read = by_file(_read, "VIA")


def _entries(content: dict[str, Any]) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    for entry in content.get(_PROJECT, content).values():
        regions = entry["regions"]  # version 1 numbers them
        yield entry["filename"], regions.values() if isinstance(regions, dict) else regions


def _table(path: Path) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    for row in csv.DictReader(io.StringIO(whole(path).decode("utf-8-sig"))):
        shape, said = (
            json.loads(row[f"region_{of}"] or "{}") for of in ("shape_attributes", "attributes")
        )
        name = row["filename"] if "filename" in row else row["#filename"]
        yield name, [{"shape_attributes": shape, "region_attributes": said}] if shape else []


def _shape(region: dict[str, Any], who: str) -> Shape:
    shape, label = region["shape_attributes"], _class(region.get("region_attributes") or {})
    kind = shape["name"]
    if kind == "rect":
        return box(label, (shape["x"], shape["y"]), (shape["width"], shape["height"]), who)
    if kind in ("circle", "ellipse"):
        radii = (shape["r"], shape["r"]) if "r" in shape else (shape["rx"], shape["ry"])
        turned = math.degrees(shape.get("theta") or 0)
        return ellipse(label, (shape["cx"], shape["cy"]), radii, who, turned)
    if kind in ("polygon", "polyline"):
        points = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
        return bounds(label, points, who)
    if kind == "point":
        return point(label, (shape["cx"], shape["cy"]), who)
    raise Wrong(f"{who} is a {kind}, which marks no cell: delete it")


def _class(attributes: dict[str, Any]) -> str:
    texts = {
        key.casefold(): next((name for name, chosen in value.items() if chosen), "")
        if isinstance(value, dict)  # of checkboxes
        else str(value)
        for key, value in attributes.items()
    }
    named = [texts[key] for key in _CLASS if texts.get(key)]
    return (named or [text for text in texts.values() if text] or [""])[0].strip()
