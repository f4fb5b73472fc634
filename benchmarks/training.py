"""Training VFNet as train.ipynb does, and by the plain route."""

import time
from collections.abc import Callable
from typing import Any

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
    seconds: list[float] = []
    learn = learner("data/rendered", photos, backbone, size, batch=batch, seconds=seconds)

    def epoch() -> list[float]:
        seconds.clear()
        fit(learn)
        return list(seconds)

    return epoch


def learner(
    folder: str,
    photos: int,
    backbone: str,
    size: int,
    *,
    batch: int,
    seconds: list[float],
    device: Any = None,
    **loading: Any,
) -> Any:
    """fastai's learner of a VFNet with random weights, on labelled photos that are varied.

    Args:
        folder: labelled photos.
        photos: how many to learn from; one of the rest, or else the first, is to judge by.
        backbone: of VFNet.
        size: pixels a side.
        batch: photos a step.
        seconds: gets the time of each training step.
        device: torch's; the graphics card, if left out, where there is one.
        loading: what else the loader of what is learned from is told.
    """
    import icevision.all as ice
    from fastai.callback.core import Callback

    from cellcount.detector.recipe import Recipe
    from cellcount.detector.training import seed_everything, vfnet
    from cellcount.detector.varying import transforms

    parser = ice.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    (records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
    varied, plain = transforms(Recipe(size, crop=size))
    family = ice.models.mmdet.vfnet
    learned = ice.Dataset(records[:photos], varied)
    held_out = ice.Dataset((records[photos:] or records)[:_HELD_OUT], plain)
    dls = [
        family.train_dl(learned, batch_size=batch, shuffle=True, **loading),
        family.valid_dl(held_out, batch_size=batch, shuffle=False),
    ]
    seed_everything(0)
    model = vfnet(len(parser.class_map), pretrained=False, backbone=backbone)

    class Watch(Callback):
        """Times each training step, from the batch at hand to the new weights."""

        order = 100  # after fastai has waited for the loss, and so for the device

        def before_batch(self) -> None:
            self.start = time.perf_counter()

        def after_batch(self) -> None:
            if self.learn.training:
                seconds.append(time.perf_counter() - self.start)

    learn = family.fastai.learner(dls=dls, model=model, cbs=[Watch()], device=device)
    learn.unfreeze()
    return learn


def fit(learn: Any, epochs: int = 1) -> None:
    """Train, with the same variations of photos each time."""
    from cellcount.detector.training import seed_everything

    seed_everything(0)
    with learn.no_bar(), learn.no_logging():
        learn.fit(epochs, 1e-5)
