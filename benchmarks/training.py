"""Training VFNet as train.ipynb does, and by the plain route."""

import time
from collections.abc import Callable

from benchmarks.effort import Effort
from benchmarks.interleave import Run, Runs, Worker, interleave, ready
from benchmarks.plain import take_plain_route
from benchmarks.table import Row

R50, LITE0 = "resnet50_fpn_mstrain_2x", "efficientnet_lite0_fpn"
PLAIN = "IceVision with torchvision's operator"
_HELD_OUT = 1  # photos that the losses of an epoch are computed on


def measure(effort: Effort) -> list[Row]:
    """An epoch and a step of both of the notebook's backbones."""
    if effort.quick:
        return _compare(effort, LITE0, size=128, batch=1, photos=2)
    return [
        *_compare(effort, R50, size=640, batch=2, photos=4, repeats=2, must=1.6, aim=2.5),
        *_compare(effort, LITE0, size=768, batch=1, photos=4),
    ]


def _compare(
    effort: Effort,
    backbone: str,
    *,
    size: int,
    batch: int,
    photos: int,
    repeats: int = 3,
    must: float | None = None,
    aim: float | None = None,
) -> list[Row]:
    given = {"backbone": backbone, "size": size, "batch": batch, "photos": photos}
    with ready(
        ours=Worker(prepare, **given, ours=True), plain=Worker(prepare, **given, ours=False)
    ) as ways:
        found = interleave(
            {name: way.run for name, way in ways.items()}, effort.repeats(repeats), effort.warm_ups
        )
    steps = {name: _steps(runs) for name, runs in found.items()}
    name = f"VFNet {backbone.partition('_')[0]} at {size} px"
    epoch = f"training epoch, {name}: {photos} photos by {batch}, then {_HELD_OUT} to judge by"
    return [
        Row.of(epoch, found["ours"], found["plain"], PLAIN, must=must, aim=aim),
        Row.of(f"training step, {name}, {batch} a step", steps["ours"], steps["plain"], PLAIN),
    ]


def _steps(runs: Runs) -> Runs:
    return Runs([Run(seconds, run.peak) for run in runs.runs for seconds in run.answer])


def prepare(
    backbone: str, size: int, batch: int, photos: int, ours: bool
) -> Callable[[], list[float]]:
    """An epoch on bundled photos from random weights; it answers with the seconds of each step."""
    from cellcount.detector.bridging import apply_bridge

    apply_bridge() if ours else take_plain_route()
    import icevision.all as ice
    from fastai.callback.core import Callback

    from cellcount.detector.recipe import Recipe
    from cellcount.detector.training import seed_everything, transforms

    parser = ice.parsers.VOCBBoxParser(annotations_dir="data/rendered", images_dir="data/rendered")
    (records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
    varied, plain = transforms(Recipe(size, crop=size))
    vfnet = ice.models.mmdet.vfnet
    learned = ice.Dataset(records[:photos], varied)
    held_out = ice.Dataset(records[photos : photos + _HELD_OUT], plain)
    dls = [
        vfnet.train_dl(learned, batch_size=batch, shuffle=True),
        vfnet.valid_dl(held_out, batch_size=batch, shuffle=False),
    ]
    seed_everything(0)
    model = vfnet.model(
        backbone=getattr(vfnet.backbones, backbone)(pretrained=False), num_classes=2
    )
    seconds: list[float] = []

    class Watch(Callback):
        """Times each training step, from the batch at hand to the new weights."""

        def before_batch(self) -> None:
            self.start = time.perf_counter()

        def after_batch(self) -> None:
            if self.learn.training:
                seconds.append(time.perf_counter() - self.start)

    learn = vfnet.fastai.learner(dls=dls, model=model, cbs=[Watch()])
    learn.unfreeze()

    def epoch() -> list[float]:
        seconds.clear()
        seed_everything(0)  # the same variations in each epoch, both ways
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-5)
        return list(seconds)

    return epoch
