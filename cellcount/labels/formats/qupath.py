"""QuPath's GeoJSON: a feature a cell, with its outline in pixels and its class.

A file is named like its photo, as QuPath's File > Export objects as GeoJSON proposes. Where there
are cells or detections, annotations are the regions around them.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cellcount.labels.formats.content import by_file, load, loaded
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.frame import Corners
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, outlined, point
from cellcount.labels.outlines import Outline

IMAGES = "."  # a GeoJSON beside each photo
_CELLS = ("detection", "cell", "PathDetectionObject", "PathCellObject")
_POINTS = ("Point", "MultiPoint")
_DEPTH = {"Point": 0, "MultiPoint": 1, "Polygon": 2, "MultiPolygon": 3}  # lists around a position


def mine(path: Path) -> bool:
    """Whether a file is GeoJSON."""
    content = loaded(path, ".geojson", ".json")
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and first.get("type") in ("FeatureCollection", "Feature")


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    content = load(path)
    if isinstance(content, dict):
        content = content["features"] if content["type"] == "FeatureCollection" else [content]
    cells = [feature for feature in content if _kind(feature) in _CELLS]
    if cells and len(cells) < len(content):
        photos.notes.append(
            f"{len(content) - len(cells)} objects in {path.name} are left out: they are no cells "
            "or detections, as the others, but regions around them."
        )
    shapes = [
        shape
        for number, feature in enumerate(cells or content, start=1)
        for shape in _shapes(feature, f"object {number}")
    ]
    yield photos.labelled(photos.of_file(path), None, shapes, path, stored=True)


read = by_file(_read, "GeoJSON")


def _kind(feature: dict[str, Any]) -> str:
    more = feature.get("properties") or {}
    return str(more.get("objectType") or more.get("object_type") or feature.get("id"))


def _shapes(feature: dict[str, Any], who: str) -> Iterator[Shape]:
    classification = (feature.get("properties") or {}).get("classification") or {}
    names = classification.get("names") or [classification.get("name") or ""]
    label = ": ".join(map(str, names))
    geometry = feature["geometry"]
    kind = geometry["type"]
    if kind not in _DEPTH:
        raise Wrong(f"{who} is a {kind}, which marks no cell: delete it")
    if kind in _POINTS:
        positions = _positions(geometry["coordinates"], _DEPTH[kind])
        yield from (point(label, position, who) for position in positions)
    else:
        polygons = geometry["coordinates"] if _DEPTH[kind] == 3 else [geometry["coordinates"]]
        # Rings behind the first are holes, which lie inside it.
        yield outlined(label, (_positions(polygon[0], 1) for polygon in polygons if polygon), who)


def _positions(nested: Any, depth: int) -> Iterator[Any]:
    if depth == 0:
        yield nested[:2]
        return
    for inner in nested:
        yield from _positions(inner, depth - 1)


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write a GeoJSON of annotations for each photo; the photos are copied by who calls."""
    for one in labelled:
        features = [_feature(*drawn) for drawn in one.stored]
        content = {"type": "FeatureCollection", "features": features}
        path = target / f"{one.stem}.geojson"
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _feature(label: str, corners: Corners, outline: Outline) -> dict[str, Any]:
    left, top, right, bottom = corners
    box = ((left, top), (right, top), (right, bottom), (left, bottom))
    polygons = [[[[*point] for point in (*ring, ring[0])]] for ring in outline or (box,)]
    geometry: dict[str, Any] = {"type": "MultiPolygon", "coordinates": polygons}
    if len(polygons) == 1:
        geometry = {"type": "Polygon", "coordinates": polygons[0]}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"objectType": "annotation", "classification": {"name": label}},
    }
