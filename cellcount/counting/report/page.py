"""The report of a table of counts: one HTML file with all that it shows."""

import base64
import hashlib
import platform
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cellcount.bars import Bar
from cellcount.calibration.usual import FALSE_ALARMS
from cellcount.counting.count import Count, share_of, trusted
from cellcount.counting.found import with_boxes
from cellcount.counting.report.histogram import histogram
from cellcount.counting.report.pictures import MOST_BOXES, Picture, colours_of
from cellcount.counting.study import Group, Sampled, grouped
from cellcount.counting.table import Row, read_rows
from cellcount.errors import CellCountError
from cellcount.files import digest, replacing
from cellcount.photos.reading import PhotoError
from cellcount.photos.view import View

MOST_PICTURES = 1000
MOST_ROWS = 10_000  # of counted photos, and of those not counted
_BYTES = 24_000_000  # of all pictures together, before base64 makes a third more of them
_LARGEST = 120_000  # of one
_PROGRAMS = ("cellcount", "torch", "icevision", "mmdet", "openvino", "numpy")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shown:
    """A photo of the page; ``missing`` says why it has no picture, or its picture no boxes."""

    count: Count
    colours: Mapping[str, str]
    picture: Markup | None
    missing: str


def report_beside(table: Path) -> Path:
    """Where the report of a table is written if nothing else is asked for."""
    return table.with_name(f"{table.stem}-report.html")


def write_report(
    table: str | Path,
    photos: Mapping[str, Path],
    page: str | Path,
    *,
    by: str = "folder",
    sampled: Sampled | None = None,
    view: View | None = None,
) -> None:
    """Write the report of a table of counts, in the place of an older one.

    The photos to look at come first. Pictures are made of the first ``MOST_PICTURES``, the smaller
    the more there are, so that the page has at most some 40 MB; photos beyond ``MOST_ROWS`` are
    summed up, and the page says that the table has them.

    Args:
        table: that :meth:`Counter.count_all` wrote.
        photos: by their names in the table; those that are not here get no picture.
        page: to write.
        by: what the photos are grouped by, as :func:`grouped` takes it.
        sampled: what a photo shows of the sample, for cells in a millilitre.
        view: which channel and slice the pictures show; :meth:`View.chosen` if left out.

    Raises:
        CellCountError: the table cannot be used, a photo is in no group, or the page cannot be
            written.
    """
    table, page = Path(table), Path(page)
    rows = read_rows(table)
    if not rows:
        raise CellCountError(f"{table} holds no photo: there is nothing to report.")
    counted = {row.photo: row for row in rows if row.count is not None}
    counts = [row.count for row in rows if row.count is not None]
    first = sorted(counts, key=lambda one: not one.why)[:MOST_ROWS]
    pictured = first[:MOST_PICTURES]
    kept = with_boxes({one.photo: (one, counted[one.photo].made_by) for one in pictured}, table)
    shown = _shown(first, kept, photos, view or View.chosen())
    values = _facts(table, rows, counts) | {
        "shown": Bar(shown, total=len(first), unit="picture", leave=False),
        "groups": _groups(table, by, sampled),
        "sampled": sampled,
    }
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        with replacing(page) as part, part.open("wb") as file:
            environment.get_template("page.html").stream(values).dump(file, "utf-8")
    except OSError as error:
        raise CellCountError(
            f"The report {page} cannot be written ({error.strerror}): make room, or choose another "
            f"name. {table} holds all counts."
        ) from error


def _shown(
    first: Sequence[Count], kept: Mapping[str, Count], photos: Mapping[str, Path], view: View
) -> Iterator[Shown]:
    """The rows of the page, one picture in memory at a time."""
    most = min(_LARGEST, _BYTES // min(max(len(first), 1), MOST_PICTURES))
    for place, one in enumerate(first):
        found = kept.get(one.photo)
        colours = {name: colour for name, colour in colours_of(one).items() if name}
        if place >= MOST_PICTURES:
            why = f"Pictures are made of {MOST_PICTURES:,} photos, those to look at first."
            yield Shown(one, colours, None, why)
            continue
        try:
            if one.photo not in photos:
                raise FileNotFoundError
            picture = Picture.of(photos[one.photo], view, most)
        except PhotoError as error:
            yield Shown(one, colours, None, f"{error.problem} {error.cure}")
            continue
        except FileNotFoundError:
            yield Shown(one, colours, None, "The photo was not there when this page was made.")
            continue
        yield Shown(one, colours, Markup(picture.svg(found)), _missing(one, found))


def _missing(count: Count, found: Count | None) -> str:
    if found is None:
        return "Its boxes were not kept beside the table: count it anew to see them."
    if len(found.boxes) > MOST_BOXES:
        return f"The surest {MOST_BOXES:,} of {len(found.boxes):,} boxes are drawn."
    if (more := count.n - len(found.boxes)) > 0:
        return f"{more:,} more cells are expected than have a box."
    return ""


def _facts(table: Path, rows: Sequence[Row], counts: Sequence[Count]) -> dict[str, Any]:
    """What the page says of all photos together, and of how they were counted."""
    numbers = [one.n for one in counts]
    failed = [row for row in rows if row.count is None]
    classes = [*counts[0].by_class] if counts else []
    like = [one.by_class for one in trusted(counts)]
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    stamp = datetime.fromtimestamp(table.stat().st_mtime)
    return {
        "table": table.name,
        "digest": digest(table),
        "changed": f"{stamp:%Y-%m-%d %H:%M}",
        "made": f"{datetime.now():%Y-%m-%d %H:%M}",
        "rows": rows,
        "counts": counts,
        "classes": classes,
        "shares": {name: share_of(name, like) for name in classes},
        "odd": sum(bool(one.why) for one in counts),
        "judged": any(one.why is not None for one in counts),
        "interval": any(one.low is not None for one in counts),
        "failed": failed[:MOST_ROWS],
        "lost": len(failed),
        "mean": float(np.mean(numbers)) if numbers else None,
        "sd": float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None,
        "histogram": Markup(histogram(numbers, [bool(one.why) for one in counts]))
        if numbers
        else None,
        "makers": Tally(row.made_by for row in rows).most_common(),
        "programs": _programs(_PROGRAMS),
        "false_alarms": f"{100 * FALSE_ALARMS:.0f}",
        "most_rows": MOST_ROWS,
        "most_pictures": MOST_PICTURES,
        "style": Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_sum": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _groups(table: Path, by: str, sampled: Sampled | None) -> list[Group]:
    """The groups; none if a single one is all there is, and it is not asked for."""
    found = grouped(table, by)
    return found if len(found) > 1 or by != "folder" or sampled is not None else []


def _programs(names: Iterable[str]) -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
