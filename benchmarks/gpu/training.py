"""How fast a card trains: an epoch of the walkthrough's, and the laptop's detector."""

import gc
from itertools import product
from typing import NamedTuple

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page
from benchmarks.training import LITE0, R50, fit, learner
from cellcount.detector.zoo import to_16_bits

_FOLDER = "data/labeled"
_HEADS = (
    *("training", "on", "bits", "workers", "s an epoch", "of it in steps", "loading alone, s"),
    *("photos a s", "peak, MB", ""),
)


class Way(NamedTuple):
    """How to train; ``must`` and ``aim`` are seconds that an epoch may take in all."""

    backbone: str
    size: int
    batch: int
    must: float | None = None
    aim: float | None = None

    def verdict(self, seconds: float) -> str:
        """Whether it is as fast as it must be, or as it is aimed at."""
        if self.must is None or self.aim is None:
            return ""
        if seconds > self.must:
            return f"**over {self.must:g} s**"
        return f"under {self.aim if seconds <= self.aim else self.must:g} s"


_WAYS = (
    Way(R50, 640, 2, must=2, aim=0.5),  # the walkthrough's
    Way(LITE0, 256, 1),  # what `cellcount train data/labeled` takes
    Way(LITE0, 256, 8),
)


def measure(page: Page, meter: Meter) -> None:
    """Time epochs on the bundled photos; loading runs beside the steps where there are workers."""
    photos, several = (4, (0, 2)) if meter.quick else (17, (0, 2, 8))
    page.section(f"An epoch of {photos} photos, varied, and one to judge by", _HEADS)
    for way in _WAYS:
        if meter.quick:
            way = Way(way.backbone, 128, way.batch)  # noqa: PLW2901
        for bits, workers in product((32, 16), several):
            name = f"VFNet {way.backbone}, {way.size} px by {way.batch}"
            page.row(name, meter.name, bits, workers, *_row(way, photos, bits, workers, meter))
            gc.collect()  # learner and model hold each other


def _row(way: Way, photos: int, bits: int, workers: int, meter: Meter) -> tuple[object, ...]:
    steps: list[float] = []
    loading = {"num_workers": workers, "persistent_workers": workers > 0}
    learn = learner(
        _FOLDER,
        photos,
        way.backbone,
        way.size,
        batch=way.batch,
        seconds=steps,
        device=meter.device,
        **loading,
    )
    if bits == 16:
        to_16_bits(learn)
    meter.forget()

    def epoch() -> None:
        steps.clear()
        fit(learn)

    taken = meter.seconds(epoch, 5, 2)
    alone = meter.seconds(lambda: [None for _ in learn.dls.train], 3)
    return taken, sum(steps), alone, photos / taken, meter.peak, way.verdict(taken)
