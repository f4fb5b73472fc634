"""Tables: a box a row as TensorFlow and Roboflow write them, or the x and y of a cell a row.

A box has the columns filename, width, height, class, xmin, ymin, xmax and ymax; a photo without
cells has a row with the first three only. Points are what ImageJ's multi-point tool lists by
Analyze > Measure (X, Y), napari by its points (axis-1, axis-0), in pixels. A table of points that
has no column for the photo bears its name.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellcount.labels.formats.content import by_file, whole
from cellcount.labels.formats.foreign import Boxed, Foreign
from cellcount.labels.formats.photos import Photos
from cellcount.labels.formats.shapes import Shape, Wrong, bounds, point

IMAGES = "images"
FILE = "labels.csv"
_PHOTO = ("filename", "image", "photo", "file", "image_path", "label")  # ImageJ's Label
_CLASS = ("class", "label", "type", "name", "counter")
_BOX = ("xmin", "ymin", "xmax", "ymax")
_POINTS = (("x", "y"), ("axis-1", "axis-0"))
_POINT = re.compile(r":[^/\\]*$")  # ImageJ puts the number of a point behind the photo: a.tif:12
_SUFFIXES = (".csv", ".tsv", ".xls", ".txt")  # ImageJ's .xls is text


def mine(path: Path) -> bool:
    """Whether a file is a table of boxes or points."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(10_000).replace("\0", "")  # at which Python 3.10 stops
    return _corners(_columns(line, _separator(line))) is not None


def _separator(line: str) -> str:
    return max("\t;,", key=line.count)


def _columns(line: str, separator: str) -> list[str]:
    return [name.strip().casefold() for name in next(csv.reader([line], delimiter=separator), [])]


def _corners(columns: Sequence[str]) -> tuple[str, ...] | None:
    return next((some for some in (_BOX, *_POINTS) if {*some} <= {*columns}), None)


def _read(path: Path, photos: Photos) -> list[Foreign]:
    file = io.StringIO(whole(path).decode("utf-8-sig"), newline=None)  # of old Macs, too
    header = file.readline()
    separator = _separator(header)
    columns = _columns(header, separator)
    corners = _corners(columns)
    if corners is None:
        raise Wrong("its columns are neither xmin, ymin, xmax, ymax nor x, y")
    rows = csv.DictReader(file, columns, delimiter=separator)
    of_photo = next((name for name in _PHOTO if name in columns), None)
    of_class = next((name for name in _CLASS if name in columns and name != of_photo), None)
    if of_photo == "label" and not any(one.name in file.getvalue() for one in photos.found):
        of_photo, of_class = None, "label"
    shapes: dict[str, list[Shape]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(rows, start=2):
        photo = _photo(row, of_photo, number) if of_photo else ""
        sizes[photo] = _size(row)
        found = shapes[photo]
        if any((row[name] or "").strip() for name in corners):
            label = (row[of_class] or "").strip() if of_class else ""
            found.append(_shape(label, row, corners, separator, f"line {number}"))
    return [
        photos.labelled(
            photos.find(name, path) if name else photos.of_file(path), sizes[name], some, path
        )
        for name, some in shapes.items()
    ]


read = by_file(_read, "CSV")


def _photo(row: Mapping[str, str | None], column: str, number: int) -> str:
    name = (row[column] or "").strip()
    if not name:
        raise Wrong(f"line {number} names no photo")
    return _POINT.sub("", name) if column == "label" else name


def _size(row: Mapping[str, str | None]) -> tuple[int, int]:
    """What a table of boxes says; ImageJ's Width is that of a selection."""
    if "xmin" not in row:
        return 0, 0
    return int(float(row.get("width") or 0)), int(float(row.get("height") or 0))


def _shape(
    label: str, row: Mapping[str, str], corners: Sequence[str], separator: str, who: str
) -> Shape:
    texts = [(row[name] or "").strip() for name in corners]
    if separator != ",":  # where a comma stands before the decimals
        texts = [text.replace(",", ".") for text in texts]
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise Wrong(f'{who} has "{", ".join(texts)}" instead of numbers') from error
    if len(numbers) == 2:
        return point(label, numbers, who)
    return bounds(label, zip(numbers[::2], numbers[1::2], strict=True), who)


def write(labelled: Sequence[Boxed], target: Path) -> None:
    """Write the table; the photos are copied by who calls."""
    with (target / FILE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("filename", "width", "height", "class", *_BOX))
        for _, one in labelled:
            photo = one.filename, one.width, one.height
            for box in one.boxes:
                table.writerow((*photo, box.label, box.xmin, box.ymin, box.xmax, box.ymax))
            if not one.boxes:
                table.writerow((*photo, *[""] * 5))
