"""What a person is told when the card's memory runs out, and whether less can be tried then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page, told
from benchmarks.training import LITE0, R50, fit, learner

_ALLOWED = 6 * 2**30  # bytes that torch may take of the card: enough for one photo, not for 16
_MORE = 2**20  # bytes that counting may take besides its weights: too few


def measure(page: Page, meter: Meter) -> None:
    """Train with too large a batch, and count with too little memory; then as it should be."""
    page.section("Out of memory", ("what", "on", "is told", "then, with less"), texts=4)
    for what, trial in (("training", _training), ("counting", _counting)):
        page.row(what, meter.name, *trial(meter))


def _training(meter: Meter) -> tuple[str, str]:
    from mmdet.models.detectors import SingleStageDetector

    size, backbone = (64, LITE0) if meter.quick else (640, R50)

    def train(batch: int) -> None:
        given = {"batch": batch, "seconds": [], "device": meter.device}
        fit(learner("data/labeled", batch, backbone, size, **given))

    with _little_memory(meter, _ALLOWED, SingleStageDetector, "forward_train"):
        return _outcome(lambda: train(16)), _outcome(lambda: train(1))


def _counting(meter: Meter) -> tuple[str, str]:
    import torch

    from cellcount import Counter, list_photos
    from cellcount.counting.engines.dense import DenseNetwork

    counter = Counter("models/smear.pth", engine="torch")
    photo = list_photos("data/not_labeled")[0]
    meter.forget()
    taken = torch.cuda.memory_reserved() if meter.device.type == "cuda" else 0
    with _little_memory(meter, taken + _MORE, DenseNetwork, "forward"):
        told = _outcome(lambda: counter.count(photo))
    return told, _outcome(lambda: counter.count(photo))


def _outcome(work: Callable[[], Any]) -> str:
    """The error that a person would see, or that there is none."""
    try:
        work()
    except Exception as error:
        return told(error)
    return "it runs"


@contextmanager
def _little_memory(meter: Meter, most: int, owner: Any, name: str) -> Iterator[None]:
    """Let torch take so many bytes of the card; without a card, let a method fail once."""
    import torch

    if meter.device.type == "cuda":
        whole = torch.cuda.get_device_properties(meter.device).total_memory
        torch.cuda.set_per_process_memory_fraction(most / whole)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    method, left = getattr(owner, name), [torch.cuda.OutOfMemoryError("CUDA out of memory.")]

    def fail_once(*given: Any, **named: Any) -> Any:
        if left:
            raise left.pop()
        return method(*given, **named)

    with mock.patch.object(owner, name, fail_once):
        yield
