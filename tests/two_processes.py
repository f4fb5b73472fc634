"""Trains VFNet for an epoch and writes what came of it: run alone, or by torch.distributed.run.

Arguments: the folder of photos, the file to write (the rank is added), the backbone.
"""

import json
import sys
from pathlib import Path

import torch

import cellcount as cc

cc.bridge.apply()
import icevision.all as ice  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.distributed import num_distrib, rank_distrib  # noqa: E402

from cellcount.training import seed_everything  # noqa: E402

folder, target, name = sys.argv[1:]
size = 64
torch.set_num_threads(1)
seed_everything(0)


class Steps(Callback):
    """Notes the loss of every step, in training and validation."""

    def after_loss(self) -> None:
        losses.append(float(self.learn.loss))


losses: list[float] = []
parser = ice.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
(records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
records = sorted(records, key=lambda one: one.record_id)
plain = ice.tfms.A.Adapter([ice.tfms.A.Normalize()])
vfnet = ice.models.mmdet.vfnet
# The two processes take the first half and the second half; alone, a batch has one of each.
order = range(len(records)) if num_distrib() else [0, 2, 1, 3]
photos = ice.Dataset([records[index] for index in order], plain)
batch = 1 if num_distrib() else 2
model = vfnet.model(backbone=getattr(vfnet.backbones, name)(pretrained=False), num_classes=2)
# The last photo alone makes an odd number: a share is filled up, and must not be judged twice.
dls = [
    vfnet.train_dl(photos, batch_size=batch, shuffle=False),
    vfnet.valid_dl(ice.Dataset(records[:3], plain), batch_size=1, shuffle=False),
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
    dls=dls, model=model, metrics=[Names()], cbs=[Steps()], device=torch.device("cpu")
)
learn.unfreeze()
with learn.no_bar(), learn.no_logging():
    if num_distrib():
        with learn.distrib_ctx(sync_bn=False, cpu=True):
            learn.fit(2, 1e-3)
    else:
        learn.fit(2, 1e-3)
weights = [float(one.detach().double().sum()) for one in model.parameters()]
Path(f"{target}.{rank_distrib()}").write_text(
    json.dumps({"losses": losses, "weights": weights, "judged": judged})
)
