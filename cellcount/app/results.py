"""Counts as the page shows them and as files to take away: made from the same ``Count`` each."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast
from zipfile import ZIP_STORED, ZipFile

from cellcount.app.visits import COUNTED, FAILED, Photo, Visit
from cellcount.counting.colours import CLASSES, OTHERS
from cellcount.counting.count import Count, total
from cellcount.counting.counter import Counter
from cellcount.counting.drawing import draw_count
from cellcount.counting.report.page import write_report
from cellcount.counting.study import Group
from cellcount.errors import CellCountError
from cellcount.photos.reading import PhotoError, read_photo

_LONGEST = 1600  # pixels of pictures


def counter_of(visit: Visit, counter: Counter) -> Counter:
    """The counter as the visit's settings have it."""
    return counter.at(visit.settings.threshold, visit.settings.view(counter.view))


def counts(visit: Visit, counter: Counter) -> list[tuple[Photo, Count]]:
    """The counts of the photos that are counted."""
    threshold, counting = visit.settings.threshold, counter_of(visit, counter)
    return [(photo, one.at(threshold, counting)) for photo, one in visit.counted()]


def shown(visit: Visit, counter: Counter, since: int) -> dict[str, Any]:
    """What the page shows: all together, and the photos that have changed since a change."""
    counted = counts(visit, counter)
    count_of = {photo.number: count for photo, count in counted}
    done = [one for one in visit.photos.values() if one.state in (COUNTED, FAILED)]
    return {
        "changes": visit.changes,
        "channels": visit.channels,
        "numbers": [*visit.photos],
        "photos": [
            _photo(visit, photo, count_of.get(photo.number))
            for photo in visit.photos.values()
            if photo.changed > since
        ],
        "done": len(done),
        "total": _total(visit, [count for _, count in counted]),
    }


def table(visit: Visit, counter: Counter) -> bytes:
    """The CSV that ``cellcount count`` would write.

    Raises:
        CellCountError: no photo has been looked at.
    """
    with TemporaryDirectory(dir=visit.folder) as folder:
        return _table(visit, counter, Path(folder)).read_bytes()


def report(visit: Visit, counter: Counter) -> bytes:
    """The page that ``cellcount count --report`` would write.

    Raises:
        CellCountError: no photo has been looked at.
    """
    with TemporaryDirectory(dir=visit.folder) as folder:
        made, page = _table(visit, counter, Path(folder)), Path(folder) / "report.html"
        photos = {one.name: one.file for one in list(visit.photos.values()) if one.file}
        settings = visit.settings
        write_report(made, photos, page, sampled=settings.sampled, view=settings.view(counter.view))
        return page.read_bytes()


def pictures(visit: Visit, counter: Counter) -> Iterator[bytes]:
    """A zip of the photos with boxes, in parts as soon as they are made."""
    view = visit.settings.view(counter.view)
    written = _Written()
    with ZipFile(cast(IO[bytes], written), "w", ZIP_STORED) as archive:
        for photo, count in counts(visit, counter):
            with suppress(PhotoError):  # removed meanwhile
                pixels = read_photo(photo.file or "", view=view)
                drawn = draw_count(pixels, count, longest=_LONGEST)
                archive.writestr(f"{photo.name}.jpg", _jpeg(drawn))
                yield written.taken()
    yield written.taken()


def preview(visit: Visit, counter: Counter, photo: Path) -> bytes:
    """A photo as a JPEG that every browser shows, without boxes.

    Raises:
        PhotoError: it cannot be read.
    """
    from PIL import Image

    view = visit.settings.view(counter.view)
    return _jpeg(Image.fromarray(read_photo(photo, shrink_to=_LONGEST, view=view)))


def _table(visit: Visit, counter: Counter, folder: Path) -> Path:
    if not any(one.state in (COUNTED, FAILED) for one in list(visit.photos.values())):
        raise CellCountError("There is no count yet: hand in a photo.")
    count_of = {photo.number: count for photo, count in counts(visit, counter)}
    path = folder / "counts.csv"
    with counter_of(visit, counter).table(path) as rows:
        for photo in list(visit.photos.values()):
            if photo.counted is not None:
                rows.add(count_of[photo.number], photo.counted.seconds)
            elif photo.state == FAILED:
                rows.fail(photo.name, photo.why)
    return path


def _photo(visit: Visit, photo: Photo, count: Count | None) -> dict[str, Any]:
    told: dict[str, Any] = {"number": photo.number, "name": photo.name, "state": photo.state}
    if count is None or photo.counted is None:
        return {**told, "why": photo.why}
    sampled, colours = visit.settings.sampled, chain(CLASSES, repeat(OTHERS))
    return {
        **told,
        **count.number._asdict(),
        "trust": count.trust,
        "reasons": list(count.why or ()),
        "without_box": count.n - len(count.boxes),
        "size": photo.counted.size,
        "concentration": sampled and str(Group("", (count,), 0).concentration(sampled)),
        "classes": [
            {
                "name": name,
                "number": str(count.by_class[name]) if name else "",
                "colour": colour,
                "boxes": boxes.round(1).tolist(),
            }
            for (name, boxes), colour in zip(count.drawn.items(), colours, strict=False)
        ],
    }


def _total(visit: Visit, counted: list[Count]) -> dict[str, Any] | None:
    """All photos as those of one sample; None while none is counted."""
    group = Group("", tuple(counted), 0)
    if not counted:
        return None
    sampled = visit.settings.sampled
    return {
        "photos": len(counted),
        "cells": str(total([one.number for one in counted])),
        "mean": f"{group.mean:.1f}",
        "flagged": group.flagged,
        "shares": {name: str(group.share(name)) for name in group.classes},
        "concentration": sampled and str(group.concentration(sampled)),
    }


def _jpeg(picture: Any) -> bytes:
    made = BytesIO()
    picture.save(made, "JPEG", quality=85)
    return made.getvalue()


class _Written:
    """A file that is only written to, and whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def write(self, part: bytes) -> int:
        """Keep a part."""
        self._parts += part
        return len(part)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        """What has been written since."""
        part, self._parts = bytes(self._parts), bytearray()
        return part
