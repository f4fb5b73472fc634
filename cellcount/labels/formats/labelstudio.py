"""Label Studio's JSON and JSON-MIN: a list of tasks, with shapes in per cent of the photo.

Boxes are turned about their upper left corner, ellipses about their middle, by degrees clockwise
(labelstud.io, "RectangleLabels", "EllipseLabels").
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cellcount.labels.formats.content import by_file, load, loaded
from cellcount.labels.formats.foreign import Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, ellipse, point, turn
from cellcount.photos.reading import is_photo

_NO_SHAPES = ("choices", "textarea", "rating", "number", "taxonomy", "labels", "relation")


def mine(path: Path) -> bool:
    """Whether a file is Label Studio's."""
    content = loaded(path)
    return isinstance(content, list) and any(
        isinstance(task, dict) and ({"data", "annotations"} <= task.keys() or any(_regions(task)))
        for task in content
    )


def _read(path: Path, photos: Photos) -> Iterator[Foreign]:
    for task in load(path):
        photo = photos.find(_photo(task), path)
        results = _results(task)
        if results is None:
            photos.notes.append(
                f"{photo.name} is left out: nobody has labelled it, or several have and none "
                "of their annotations is marked as ground truth."
            )
            continue
        stated = {(one["original_width"], one["original_height"]) for one in results}
        if len(stated) > 1 or any(one.get("image_rotation") for one in results):
            raise Wrong(f"{photo.name} was turned while it was labelled: turn it back")
        size = stated.pop() if stated else None
        shapes = [
            shape
            for number, one in enumerate(results, start=1)
            for shape in _shapes(one, f"region {number} of {photo.name}")
        ]
        yield photos.labelled(photo, size, shapes, path)


read = by_file(_read, "Label Studio")


def _regions(task: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The lists of shapes of a task in JSON-MIN, whose keys are the user's."""
    for value in task.values():
        first = value[0] if isinstance(value, list) and value else None
        if isinstance(first, dict) and "original_width" in first:
            yield value


def _photo(task: dict[str, Any]) -> str:
    """The name of a task's photo: ``/data/local-files/?d=folder/a.jpg`` is ``folder/a.jpg``."""
    data = {key: text for key, text in task.get("data", task).items() if isinstance(text, str)}
    names = {k: unquote(text.rpartition("?d=")[2].partition("?")[0]) for k, text in data.items()}
    named = next((name for name in names.values() if is_photo(Path(name))), names.get("image"))
    if named is None:
        raise Wrong(f"task {task.get('id')} names no photo")
    return named


def _results(task: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The regions that a person has drawn; of several people's, those taken for the truth."""
    if "data" not in task:
        return [{"value": one, **one} for some in _regions(task) for one in some]
    done = [one for one in task["annotations"] if not one.get("was_cancelled")]
    if len(done) > 1:
        done = [one for one in done if one.get("ground_truth")]
    if len(done) != 1:
        return None
    return [one for one in done[0]["result"] if one.get("type") not in _NO_SHAPES]


def _shapes(one: dict[str, Any], who: str) -> Iterator[Shape]:
    value = one["value"]
    label = str(next((v[0] for k, v in value.items() if k.endswith("labels") and v), ""))
    across, down = one["original_width"] / 100, one["original_height"] / 100
    turned = value.get("rotation") or 0
    if "points" in value:
        yield bounds(label, [(x * across, y * down) for x, y in value["points"]], who)
    elif "radiusX" in value:
        middle, radii = (value["x"], value["y"]), (value["radiusX"], value["radiusY"])
        yield ellipse(
            label, _scaled(middle, across, down), _scaled(radii, across, down), who, turned
        )
    elif "height" in value and "keypointlabels" not in value:
        x, y = _scaled((value["x"], value["y"]), across, down)
        width, height = _scaled((value["width"], value["height"]), across, down)
        corners = [(x, y), (x + width, y), (x, y + height), (x + width, y + height)]
        yield bounds(label, [turn(corner, (x, y), turned) for corner in corners], who)
    elif "x" in value:
        yield point(label, _scaled((value["x"], value["y"]), across, down), who)
    else:
        raise Wrong(f"{who} was painted, which is not read: export it as COCO")


def _scaled(pair: tuple[float, float], across: float, down: float) -> tuple[float, float]:
    return pair[0] * across, pair[1] * down
