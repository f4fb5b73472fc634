"""Labelling by hand: looks at a folder of photos, then opens labelImg on it.

labelImg runs in a process of its own, in which :mod:`cellcount.labelling.labelimg` mends it:
whatever befalls it there, this side says what to do next.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labelling.labelimg import screen
from cellcount.labels import voc
from cellcount.labels.review_order import in_order
from cellcount.setup import packages

SHIPPED_CLASS = "Microalgae"

_ROOT = Path(__file__).resolve().parents[2]
_IN_BROWSER = "label in the browser, in JupyterLab (docs/labelling.md tells how)"


def known_classes(folder: str | Path) -> list[str]:
    """List the labels in the folder's XML, the most frequent first.

    Files that cannot be read count for nothing; labelImg tells about them when it opens the photo.
    """
    found: Counter[str] = Counter()
    for xml in sorted(Path(folder).glob("*.xml")):
        try:
            found.update(box.label for box in voc.read(xml).boxes)
        except voc.AnnotationError:
            continue
    return [label for label, _ in found.most_common()]


def label(folder: str | Path, classes: Sequence[str] = ()) -> None:
    """Open labelImg on the folder's photos and wait until its window is closed.

    Args:
        folder: the photos; each XML goes beside its photo.
        classes: the labels to offer, the preset first; those in the folder's XML follow.

    Raises:
        CellCountError: the folder cannot be labelled, labelImg cannot open a window here, or it
            ended by itself.
    """
    folder = Path(folder)
    photos = in_order(folder)
    _refuse_shared_names(photos)
    if not os.access(folder, os.W_OK):
        raise CellCountError(f"You may not write to {folder}: copy it to a place of your own.")
    _refuse_without_window()
    offered = list(dict.fromkeys([*classes, *known_classes(folder)]))
    if not offered:
        offered = [SHIPPED_CLASS]
        print(
            f"Nothing is labelled here yet, so the label {SHIPPED_CLASS} is offered, as the "
            "shipped model calls its cells; --classes offers others."
        )
    status = _run(folder, offered)
    if status:
        raise CellCountError(
            f"labelImg ended by itself ({_told(status)}). What was saved is in {folder}: open it "
            f"again, or {_IN_BROWSER}."
        )
    labelled = sum(photo.with_suffix(".xml").exists() for photo in photos)
    print(f"{labelled} of {len(photos)} photos in {folder} have labels.")


def _refuse_shared_names(photos: Sequence[Path]) -> None:
    by_stem = sorted(photos, key=lambda photo: photo.stem)
    for stem, group in groupby(by_stem, key=lambda photo: photo.stem):
        names = [photo.name for photo in group]
        if len(names) > 1:
            raise CellCountError(
                f"{' and '.join(names)} would share one {stem}.xml: rename or move all but one."
            )


def _refuse_without_window() -> None:
    missing = [name for name in ("PyQt5", "labelImg") if packages.installed(name) is None]
    if missing:
        raise CellCountError(
            f"{' and '.join(missing)} is not installed here: run `{packages.INSTALL}`, or "
            f"{_IN_BROWSER}."
        )
    if obstacle := screen.obstacle():
        raise CellCountError(f"{obstacle}, or {_IN_BROWSER}.")


def _run(folder: Path, classes: Sequence[str]) -> int:
    environment = screen.without_opencvs_qt(os.environ)
    paths = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, "-m", "cellcount.labelling.labelimg", str(folder), *classes]
    labelimg = subprocess.Popen(command, env=environment)
    # Ctrl+C in the terminal reaches labelImg too, which saves, closes and ends this wait.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return labelimg.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _told(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"
