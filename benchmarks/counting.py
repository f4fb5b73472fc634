"""From a photo to its count: this project's Counter, the walkthrough's way, and YOLO's networks."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import yolo
from benchmarks.effort import Effort
from benchmarks.interleave import NotMeasuredError, Runs, Worker, interleave, ready
from benchmarks.photos import BUNDLED, mosaic
from benchmarks.plain import walkthrough_model
from benchmarks.table import Row

CHECKPOINT = "models/rendered.pth"
_SIZE = 640  # pixels that the walkthrough's detector sees, and YOLO's


def measure(effort: Effort) -> list[Row]:
    """A photo as a phone takes it against the walkthrough, and a small one against YOLO."""
    return [*_against_walkthrough(effort), *_against_yolo(effort)]


def _against_walkthrough(effort: Effort) -> list[Row]:
    side = 1024 if effort.quick else 2800
    ours = {engine: Worker(prepare, engine=engine) for engine in _engines()}
    with TemporaryDirectory() as folder:
        photo = mosaic(Path(folder) / "photo.jpg", side)
        with ready(**ours, plain=Worker(walkthrough_model, size=_SIZE)) as ways:
            found = _in_turns(ways, str(photo), effort.repeats(7))
    return [
        Row.of(
            f"photo of {side} px (a bundled one, resized) to count, Lite0 by {runs.answers[0]}",
            runs,
            found["plain"],
            against=f"end2end_detect, R50 at {_SIZE} px, torchvision's operator",
            must=12,
            aim=25,
        )
        for runs in (found[engine] for engine in ours)
    ]


def _against_yolo(effort: Effort) -> list[Row]:
    what = f"photo of 1024 px to count, Lite0 at {_SIZE} px"
    if effort.quick:
        return [Row(what, against="YOLO", reason="left out by --quick")]
    try:
        yolo.install()
        networks = {name: Worker(yolo.prepare, name=name, size=_SIZE) for name in yolo.NETWORKS}
        with ready(**networks, ours=Worker(prepare, size=_SIZE)) as ways:
            found = _in_turns(ways, str(BUNDLED[0]), 15)
    except NotMeasuredError as reason:
        return [Row(what, against="YOLO", reason=str(reason))]
    return [
        Row.of(
            f"{what} by {found['ours'].answers[0]}",
            found["ours"],
            found[name],
            against=f"{title}, network alone, torch, {_SIZE} px",
            must=1,
            aim=2,
        )
        for name, title in yolo.NETWORKS.items()
    ]


def _in_turns(ways: dict[str, Worker], photo: str, repeats: int) -> dict[str, Runs]:
    return interleave({name: partial(way.run, photo) for name, way in ways.items()}, repeats, 2)


def _engines() -> list[str]:
    """What Counter can be told to compute with."""
    from cellcount import Counter

    return ["auto", "torch"] if "engine" in inspect.signature(Counter).parameters else ["torch"]


def prepare(engine: str = "auto", size: int | None = None) -> Callable[[str], str]:
    """The shipped detector, ready to count; it answers with the engine that computes it.

    Args:
        engine: what Counter computes with, if it can be told.
        size: pixels of the longest side that it sees, if not its own.
    """
    from cellcount import Counter

    chosen: dict[str, Any] = {"engine": engine} if len(_engines()) > 1 else {}
    with TemporaryDirectory() as folder:
        counter = Counter(_resized(Path(folder), size) if size else CHECKPOINT, **chosen)

    def count(photo: str) -> str:
        counter.count(photo)
        return str(getattr(counter, "engine", "torch"))

    return count


def _resized(folder: Path, size: int) -> Path:
    """The shipped checkpoint as if it had been trained at another size."""
    import torch

    checkpoint = torch.load(CHECKPOINT, weights_only=True)
    checkpoint["meta"]["img_size"] = size
    torch.save(checkpoint, folder / "resized.pth")
    return folder / "resized.pth"
