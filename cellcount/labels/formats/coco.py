"""COCO's JSON for detection, in the layout of CVAT: annotations/instances_default.json, images/.

Boxes are [xmin, ymin, width, height] in pixels (cocodataset.org, "data format"). Whether an object
is truncated or difficult, and by how much its box is turned, stands in CVAT's ``attributes``.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellcount.labels.formats.content import by_file, load, loaded
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, box, outlined
from cellcount.labels.outlines import area_of
from cellcount.labels.voc import Box

IMAGES = "images"
FILE = Path("annotations", "instances_default.json")


def mine(path: Path) -> bool:
    """Whether a file is a COCO data set."""
    content = loaded(path)
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def _read(path: Path, photos: Photos) -> list[Foreign]:
    content = load(path)
    classes = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    images = {entry["id"]: entry for entry in content["images"]}
    shapes: dict[Any, list[Shape]] = defaultdict(list)
    for number, entry in enumerate(content["annotations"], start=1):
        who = f"annotation {entry.get('id', number)}"
        if entry["image_id"] not in images:
            raise Wrong(f"{who} is of an image that is not listed")
        if entry["category_id"] not in classes:
            raise Wrong(f"{who} is of a category that is not listed")
        shapes[entry["image_id"]].append(_shape(entry, classes[entry["category_id"]], who))
    return [
        photos.labelled(
            photos.find(str(entry["file_name"]), path),
            (int(entry.get("width") or 0), int(entry.get("height") or 0)),
            shapes[key],
            path,
        )
        for key, entry in images.items()
    ]


read = by_file(_read, "COCO")


def _shape(entry: dict[str, Any], label: str, who: str) -> Shape:
    if entry.get("iscrowd"):
        raise Wrong(f"{who} is a crowd, not one cell")
    more = entry.get("attributes") or {}
    if entry.get("bbox"):
        x, y, width, height = map(float, entry["bbox"])
        shape = box(label, (x, y), (width, height), who, float(more.get("rotation") or 0))
        if rings := _rings(entry):
            shape = shape._replace(outline=outlined(label, rings, who).outline)
    else:
        shape = outlined(label, _rings(entry), f"{who}, without bbox,")
    truncated, difficult = (bool(more.get(mark)) for mark in ("truncated", "difficult"))
    return shape._replace(truncated=truncated, difficult=difficult)


def _rings(entry: dict[str, Any]) -> list[list[tuple[float, float]]]:
    """The polygons of an object; none where it has none, or a mask packed as run lengths."""
    rings = entry.get("segmentation")
    return [
        [*zip(ring[::2], ring[1::2], strict=True)]
        for ring in (rings if isinstance(rings, list) else [])
    ]


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write the JSON; the photos are copied by who calls."""
    names = sorted({box.label for _, annotation in labelled for box in annotation.boxes})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    images = [
        {"id": i, "file_name": one.filename, "width": one.width, "height": one.height}
        for i, (_, one) in enumerate(labelled, start=1)
    ]
    boxes = [(i, box) for i, (_, one) in enumerate(labelled, 1) for box in one.boxes]
    content = {
        "images": images,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": [
            _entry(number, image, numbers[box.label], box)
            for number, (image, box) in enumerate(boxes, start=1)
        ],
    }
    path = target / FILE
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _entry(number: int, image: int, category: int, box: Box) -> dict[str, Any]:
    width, height = box.xmax - box.xmin, box.ymax - box.ymin
    outline = box.fitting
    area = sum(map(area_of, outline)) if outline else width * height
    rings = [[number for point in ring for number in point] for ring in outline]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [box.xmin, box.ymin, width, height],
        **({"segmentation": rings} if rings else {}),
        "area": area,
        "iscrowd": 0,
        "attributes": {"truncated": box.truncated, "difficult": box.difficult},
    }
