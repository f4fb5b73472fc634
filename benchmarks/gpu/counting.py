"""How fast a card counts, and whether it counts what the processor counts."""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page

_HEADS = (
    *("detector, photos", "on", "bits", "photos a s", "network alone, ms", "peak, MB"),
    "counts, beside those of the processor in 32 bits",
)
_MODELS = {
    "models/smear.pth": "data/not_labeled",
    "models/cells.pth": "data/not_labeled",
    "models/rendered.pth": "data/rendered",
}
# What a count consists of: the number with its interval, and the scores of its boxes.
Counted = tuple[str, list[float]]


def measure(page: Page, meter: Meter) -> None:
    """Count the bundled photos with the shipped detectors."""
    page.section("Counting, by torch", _HEADS)
    for model, folder in _MODELS.items():
        there = without_card(model, folder)
        for bits in (32, 16):
            row = _row(model, folder, bits, there, meter)
            page.row(f"{model}, {folder}", meter.name, bits, *row)


def without_card(model: str, folder: str) -> list[Counted]:
    """What is counted on each photo of a folder by a process that sees no graphics card."""
    blind = mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": "-1"})
    with blind, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(counted, model, folder).result()


def counted(model: str, folder: str) -> list[Counted]:
    """What a detector counts on each photo of a folder."""
    from cellcount import Counter

    return _counts(Counter(model, engine="torch"), folder)


def farthest(here: list[Counted], there: list[Counted]) -> float:
    """How far a score is from that of the same rank on the same photo, at most."""
    each = [0.0]
    for (_, mine), (_, theirs) in zip(here, there, strict=True):
        common = min(len(mine), len(theirs))
        each += np.abs(np.subtract(mine[:common], theirs[:common])).tolist()
    return max(each)


def _row(
    model: str, folder: str, bits: int, there: list[Counted], meter: Meter
) -> tuple[object, ...]:
    import torch

    from cellcount import Counter, list_photos

    meter.forget()
    counter, photos = Counter(model, engine="torch"), list_photos(folder)
    kind = torch.float16 if meter.device.type == "cuda" else torch.bfloat16
    narrow: Any = torch.autocast(meter.device.type, kind) if bits == 16 else nullcontext()
    with narrow, TemporaryDirectory() as scratch:
        here = _counts(counter, folder)
        table = Path(scratch) / "counts.csv"
        whole = meter.seconds(lambda: counter.count_all(photos, table, anew=True), 5)
        way = counter.see(photos[0]).ways[0]
        network = meter.seconds(lambda: way.engine.find(way.prepared, 0.5), 20, 3)
    same = sum(mine == theirs for (mine, _), (theirs, _) in zip(here, there, strict=True))
    said = f"{same} of {len(photos)} the same, scores {farthest(here, there):.1g} off"
    return len(photos) / whole, 1000 * network, meter.peak, said


def _counts(counter: Any, folder: str) -> list[Counted]:
    from cellcount import list_photos

    found = [counter.find_and_count(photo) for photo in list_photos(folder)]
    return [(str(count), boxes.scores.tolist()) for boxes, count in found]
