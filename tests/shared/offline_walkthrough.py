"""Run by test_bridge.py in a process of its own: the walkthrough, with every socket blocked."""

import socket
import sys
from pathlib import Path


def _blocked(*_args: object, **_kwargs: object) -> None:
    raise AssertionError("something wanted to use the network")


# Not socket.socket itself: asyncio and multiprocessing talk to themselves through pairs of them.
socket.socket.connect = socket.socket.connect_ex = _blocked
socket.getaddrinfo = socket.create_connection = _blocked

import cellcount as cc

cc.apply_bridge()
cc.apply_bridge()  # twice does no harm

from icevision.all import *
from icevision.models.checkpoint import *

from cellcount.detector.provenance import provenance

photos, checkpoint, predictions = map(Path, sys.argv[1:])
torch.manual_seed(0)
parser = parsers.VOCBBoxParser(annotations_dir=photos, images_dir=photos)
splitter = RandomSplitter([0.8, 0.2], seed=0)
train_records, valid_records = parser.parse(splitter, show_pbar=False)
size = 128
train_tfms = tfms.A.Adapter([*tfms.A.aug_tfms(size=size, presize=160), tfms.A.Normalize()])
valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(size), tfms.A.Normalize()])
model_type = models.mmdet.vfnet
backbone = model_type.backbones.efficientnet_lite0_fpn
model = model_type.model(backbone=backbone(pretrained=True), num_classes=len(parser.class_map))
train_dl = model_type.train_dl(Dataset(train_records[:2], train_tfms), batch_size=2, shuffle=True)
valid_dl = model_type.valid_dl(Dataset(valid_records[:1], valid_tfms), batch_size=1)
metrics = [COCOMetric(metric_type=COCOMetricType.bbox)]
learn = model_type.fastai.learner(dls=[train_dl, valid_dl], model=model, metrics=metrics)
before = [parameter.detach().clone() for parameter in model.backbone.layer4.parameters()]
with learn.no_bar(), learn.no_logging():
    learn.fine_tune(1, 1e-3, freeze_epochs=1)
after = list(model.backbone.layer4.parameters())
assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True)), (
    "nothing was learned"
)
assert np.isfinite(learn.recorder.losses).all(), "a loss is not finite"

save_icevision_checkpoint(
    model,
    model_name="mmdet.vfnet",
    backbone_name="efficientnet_lite0_fpn",
    classes=parser.class_map.get_classes(),
    img_size=size,
    filename=str(checkpoint),
    meta={**provenance(), "threshold": 0.3},
)
model.eval()
model.bbox_head.test_cfg.score_thr = 0  # so young a model is sure of nothing
infer_dl = model_type.infer_dl(Dataset(valid_records[:1], valid_tfms), batch_size=1)
(found,) = model_type.predict_from_dl(model, infer_dl, show_pbar=False, detection_threshold=0.0)
boxes = [box.xyxy for box in found.pred.detection.bboxes]
np.savez(
    predictions,
    boxes=boxes,
    scores=found.pred.detection.scores,
    photo=str(valid_records[0].filepath),
)
