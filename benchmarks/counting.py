"""From a photo to its count: this project's Counter, the walkthrough's way, and YOLO's networks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

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
    export()
    side = 1024 if effort.quick else 2800
    ours = {engine: Worker(prepare, engine=engine) for engine in ("auto", "torch")}
    with TemporaryDirectory() as folder:
        photo = mosaic(Path(folder) / "photo.jpg", side)
        with ready(**ours, plain=Worker(walkthrough_model, size=_SIZE)) as ways:
            found = _in_turns(ways, str(photo), effort.repeats(7))
    what = f"photo of {side} px (a bundled one, resized) to count, Lite0 by"
    against = f"end2end_detect, R50 at {_SIZE} px, torchvision's operator"
    auto, torch, plain = (found[name] for name in ("auto", "torch", "plain"))
    return [
        Row.of(f"{what} {auto.answers[0]}", auto, plain, against, must=12, aim=25),
        Row.of(f"{what} {torch.answers[0]}", torch, plain, against),
    ]


def _against_yolo(effort: Effort) -> list[Row]:
    what = f"photo of 1024 px to count, Lite0 at {_SIZE} px"
    if effort.quick:
        return [Row(what, against="YOLO", reason="left out by --quick")]
    try:
        yolo.install()
        with TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "resized.pth"
            with ready(only=Worker(prepare_resizing)) as ways:
                ways["only"].run(checkpoint, _SIZE)
            export(checkpoint)
            networks = {name: Worker(yolo.prepare, name=name, size=_SIZE) for name in yolo.NETWORKS}
            with ready(**networks, ours=Worker(prepare, checkpoint=str(checkpoint))) as ways:
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


def prepare(checkpoint: str = CHECKPOINT, engine: str = "auto") -> Callable[[str], str]:
    """The detector, ready to count; it answers with the engine that computes it."""
    from cellcount import Counter

    counter = Counter(checkpoint, engine=engine)

    def count(photo: str) -> str:
        counter.count(photo)
        return counter.engine

    return count


def export(checkpoint: Path | str = CHECKPOINT) -> None:
    """Let Counter export the detector if it has not, which it does once and keeps.

    Raises:
        NotMeasuredError: it cannot count.
    """
    with ready(only=Worker(prepare, checkpoint=str(checkpoint))):
        pass


def prepare_resizing() -> Callable[[Path, int], None]:
    """Writes the shipped checkpoint as if it had been trained at another size."""
    import torch

    def resize(target: Path, size: int) -> None:
        checkpoint = torch.load(CHECKPOINT, weights_only=True)
        checkpoint["meta"]["img_size"] = size
        torch.save(checkpoint, target)

    return resize
