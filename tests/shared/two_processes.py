"""Trains VFNet for an epoch and writes what came of it: run alone, or by torch.distributed.run.

Arguments: the file to write (the rank is added), the backbone.
"""

import json
import sys
from pathlib import Path

import torch

import cellcount as cc

cc.apply_bridge()
import icevision.all as ice  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.distributed import num_distrib, rank_distrib  # noqa: E402
from fastai.optimizer import SGD  # noqa: E402

from cellcount.detector.training import seed_everything  # noqa: E402
from tests.shared.drawn import drawn  # noqa: E402

target, name = sys.argv[1:]
torch.set_num_threads(1)
seed_everything(0)


class Steps(Callback):
    """Notes the loss of every step, in training and validation, and the gradients of the first."""

    def after_loss(self) -> None:
        losses.append(self.learn.loss.item())

    def before_step(self) -> None:
        gradients.extend(
            one.grad.double().norm().item()
            for one in model.parameters()
            if len(losses) == 1 and one.grad is not None
        )


losses: list[float] = []
gradients: list[float] = []
rank = rank_distrib()
four = [
    [("cell", (8, 8, 40, 40))],
    [("cell", (50, 20, 90, 60)), ("cell", (10, 70, 50, 110))],
    [("cell", (60, 60, 110, 110)), ("cell", (5, 5, 30, 40))],
    [("cell", (30, 30, 80, 80))],
]
photos = drawn(ice, Path(f"{target}.photos.{rank}"), four)
vfnet = ice.models.mmdet.vfnet
# The two processes take the first half and the second half; alone, a batch has one of each.
order = range(4) if num_distrib() else [0, 2, 1, 3]
learned = ice.Dataset([photos.records[index] for index in order], photos.tfm)
batch = 1 if num_distrib() else 2
model = vfnet.model(backbone=getattr(vfnet.backbones, name)(pretrained=False), num_classes=2)
# Three photos are no even number: a share is filled up, and the filling must not be judged twice.
dls = [
    vfnet.train_dl(learned, batch_size=batch, shuffle=False),
    vfnet.valid_dl(ice.Dataset(photos.records[:3], photos.tfm), batch_size=1, shuffle=False),
]
judged: list[str] = []


class Names(ice.Metric):
    """Notes which photos are judged."""

    name = "names"

    def accumulate(self, preds: list) -> None:
        judged.extend(str(one.record_id) for one in preds)

    def finalize(self) -> dict:
        return {"photos": len(judged)}


learn = vfnet.fastai.learner(
    dls=dls,
    model=model,
    metrics=[Names()],
    cbs=[Steps()],
    device=torch.device("cpu"),
    opt_func=SGD,  # Adam would make a whole step of a rounding error
)
learn.unfreeze()
with learn.no_bar(), learn.no_logging():
    if num_distrib():
        with learn.distrib_ctx(sync_bn=False, cpu=True):
            learn.fit(2, 1e-2)
    else:
        learn.fit(2, 1e-2)
weights = [one.detach().double().norm().item() for one in model.parameters()]
Path(f"{target}.{rank}").write_text(
    json.dumps({"losses": losses, "gradients": gradients, "weights": weights, "judged": judged})
)
