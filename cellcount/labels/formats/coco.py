"""COCO's JSON for detection, in the layout of CVAT: annotations/instances_default.json, images/.

Boxes are [xmin, ymin, width, height] in pixels (cocodataset.org, "data format"). Whether an object
is truncated or difficult stands in CVAT's ``attributes``.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellcount.errors import CellCountError
from cellcount.labels.formats.foreign import Foreign, Photos, upright_size, whole_box
from cellcount.labels.pairing import Labelled
from cellcount.labels.voc import Annotation, Box

IMAGES = "images"
FILE = Path("annotations", "instances_default.json")


def files(root: Path) -> list[Path]:
    """The JSON files under ``root`` that hold a COCO data set; ``root`` itself if it is a file."""
    if root.is_file():
        return [root]
    return [path for path in sorted(root.rglob("*.json")) if _is_coco(path)]


def _is_coco(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def read(root: Path, photos: Photos) -> list[Foreign]:
    """Every image of every COCO file under ``root``.

    Raises:
        CellCountError: something is missing or wrong; it says in which file.
    """
    return [one for path in files(root) for one in _read(path, photos)]


def _read(path: Path, photos: Photos) -> list[Foreign]:
    try:
        content = json.loads(path.read_bytes())
        classes = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        images = {entry["id"]: entry for entry in content["images"]}
        boxes: dict[Any, list[Box]] = defaultdict(list)
        for entry in content["annotations"]:
            _of_image(entry, images)
            boxes[entry["image_id"]].append(_box(entry, classes))
        named = [(key, str(e["file_name"]), (e["width"], e["height"])) for key, e in images.items()]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CellCountError(
            f"{path} is no complete COCO file ({type(error).__name__}: {error}): export it "
            "again, as COCO."
        ) from error
    found = []
    for key, name, stated in named:
        photo = photos.find(name, str(path))
        size = upright_size(photo, stated, str(path))
        annotation = Annotation(photo.name, *size, tuple(boxes[key]))
        found.append(Foreign(photo, annotation, str(path)))
    return found


def _of_image(entry: dict[str, Any], images: dict[Any, Any]) -> None:
    if entry["image_id"] not in images:
        raise ValueError(f"annotation {entry['id']} is of an image that is not listed")


def _box(entry: dict[str, Any], classes: dict[Any, str]) -> Box:
    if entry.get("iscrowd"):
        raise ValueError(f"annotation {entry['id']} is a crowd, not one cell")
    x, y, width, height = (float(number) for number in entry["bbox"])
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError(f"annotation {entry['id']} has a box without end")
    more = entry.get("attributes") or {}
    box = whole_box(classes[entry["category_id"]], x, y, x + width, y + height)
    truncated, difficult = (bool(more.get(mark)) for mark in ("truncated", "difficult"))
    return replace(box, truncated=truncated, difficult=difficult)


def write(labelled: Sequence[Labelled], target: Path) -> None:
    """Write the JSON; the photos are copied by who calls."""
    names = sorted({box.label for one in labelled for box in one.annotation.boxes})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    images = [
        {"id": i, "file_name": one.photo.name, "width": one.width, "height": one.height}
        for i, one in enumerate(labelled, start=1)
    ]
    boxes = [(i, box) for i, one in enumerate(labelled, 1) for box in one.annotation.boxes]
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
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [box.xmin, box.ymin, width, height],
        "area": width * height,
        "iscrowd": 0,
        "attributes": {"truncated": box.truncated, "difficult": box.difficult},
    }
