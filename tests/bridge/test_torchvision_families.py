"""IceVision's torchvision detectors: they build offline, train, predict, load and count freely."""

import socket
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from icevision_bridge.errors import BridgeError
from tests.shared.drawn import drawn

SIZE = 128
FAST = [
    ("faster_rcnn", "mobilenet"),
    ("faster_rcnn", "resnet18_fpn"),
    ("retinanet", "resnet18_fpn"),
]
PLAIN = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext101_32x8d"]
PYRAMIDS = [
    "resnet34_fpn",
    "resnet50_fpn",
    "resnet101_fpn",
    "resnet152_fpn",
    "resnext50_32x4d_fpn",
    "resnext101_32x8d_fpn",
    "wide_resnet50_2_fpn",
    "wide_resnet101_2_fpn",
]
SLOW = [
    *(("faster_rcnn", name) for name in PLAIN + PYRAMIDS),
    *(("retinanet", name) for name in PYRAMIDS),
]
ALL = [*FAST, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(time, "sleep", lambda _: None)  # between two attempts
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def dataset(icevision, tmp_path_factory):
    """A photo with a cell of each class, and one without cells."""
    cells = [("a", (30, 20, 70, 60)), ("b", (70, 80, 110, 120))]
    folder = tmp_path_factory.mktemp("photos")
    return drawn(icevision, folder, [cells, []], size=(SIZE, SIZE), classes=("a", "b"))


def _build(icevision, family, backbone, **kwargs):
    model_type = getattr(icevision.models.torchvision, family)
    torch.manual_seed(0)
    backbone = getattr(model_type.backbones, backbone)(pretrained=False)
    return model_type, model_type.model(num_classes=3, backbone=backbone, **kwargs)


def _few(family):
    """Proposals to look at: they are what takes most of the time of a small photo."""
    few = {"rpn_post_nms_top_n_train": 50, "rpn_post_nms_top_n_test": 50}
    return few if family == "faster_rcnn" else {}


@pytest.mark.parametrize(("family", "backbone"), ALL)
def test_trains_and_predicts(family, backbone, icevision, dataset, offline):
    from fastai.callback.core import Callback

    class Reached(Callback):
        def after_backward(self):
            groups = [[p.grad for p in group] for group in self.model.param_groups()]
            self.learn.reached = [
                any(grad is not None and grad.abs().sum() > 0 for grad in group) for group in groups
            ]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        model_type, model = _build(icevision, family, backbone, **_few(family))
        train = model_type.train_dl(dataset, batch_size=2)
        valid = model_type.valid_dl(dataset, batch_size=2)
        learn = model_type.fastai.learner(
            dls=[train, valid], model=model, metrics=[icevision.COCOMetric()], cbs=[Reached()]
        )
        learn.unfreeze()
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-5)
        infer = model_type.infer_dl(dataset, batch_size=1)
        found = model_type.predict_from_dl(model, infer, show_pbar=False, detection_threshold=0)
    assert all(learn.reached), learn.reached
    train_loss, valid_loss, precision = learn.recorder.values[0]
    assert np.isfinite([train_loss, valid_loss]).all()
    assert 0 <= precision <= 1
    assert [len(one.ground_truth.detection.bboxes) for one in found] == [2, 0]


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
def test_prediction_leaves_the_mode(family, mode, icevision, dataset):
    model_type, model = _build(icevision, family, "resnet18_fpn", **_few(family))
    model.train(mode)
    model_type.predict(model, dataset)
    assert model.training is model.backbone.training is mode


def test_validation_leaves_the_statistics(icevision, dataset):
    """Batch norms must not learn from validation photos."""
    model_type, model = _build(icevision, "faster_rcnn", "mobilenet", **_few("faster_rcnn"))
    loader = model_type.valid_dl(dataset, batch_size=1)
    learn = model_type.fastai.learner(dls=[loader, loader], model=model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with learn.no_bar(), learn.no_logging():
        (loss,) = learn.validate()
    assert np.isfinite(loss)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_boxes_lie_in_the_photo_s_frame(icevision, monkeypatch):
    """A head that is sure of one anchor returns that anchor, whose place geometry tells."""
    model_type, model = _build(icevision, "retinanet", "resnet18_fpn")
    row, column, anchors = 7, 9, 9
    logits = torch.full((1, 16 * 20 * anchors, 3), -20.0)
    logits[:, (row * 20 + column) * anchors + 3, 2] = 5  # 120 x 152 px fill up to 16 x 20 strides

    def head(features):
        places = [features[0].new_zeros(1, *f.shape[-2:]) for f in features]
        assert places[0].shape == (1, 16, 20)
        others = sum(place[0].numel() for place in places[1:]) * anchors
        sure = torch.cat([logits, torch.full((1, others, 3), -20.0)], dim=1)
        return {"cls_logits": sure, "bbox_regression": torch.zeros(*sure.shape[:2], 4)}

    monkeypatch.setattr(model.head, "forward", head)
    # torchvision centres anchors on multiples of the stride; after three wide ones comes a square.
    anchor = np.array([column * 8 - 16, row * 8 - 16, column * 8 + 16, row * 8 + 16])
    class_map = icevision.ClassMap(["a", "b"])
    normalise = icevision.tfms.A.Normalize()
    photo = np.zeros((120, 152, 3), np.uint8)
    dataset = icevision.Dataset.from_images(
        [photo], icevision.tfms.A.Adapter([normalise]), class_map=class_map
    )
    (found,) = model_type.predict(model, dataset)
    assert found.pred.detection.labels == ["b"]
    np.testing.assert_allclose(found.pred.detection.bboxes[0].xyxy, anchor, atol=1e-3)

    halve = icevision.tfms.A.Adapter([icevision.tfms.A.LongestMaxSize(152), normalise])
    twice = Image.fromarray(np.zeros((240, 304, 3), np.uint8))
    found = model_type.end2end_detect(twice, halve, model, class_map)
    np.testing.assert_allclose(found["detection"]["bboxes"][0].xyxy, 2 * anchor, atol=1e-3)


def _grid(side, step, size):
    """``side`` * ``side`` boxes of ``size`` px that do not touch, as a tensor of xyxy."""
    x, y = torch.meshgrid(*[torch.arange(side) * float(step)] * 2, indexing="xy")
    corner = torch.stack([x.flatten(), y.flatten()], dim=1)
    return torch.cat([corner, corner + size], dim=1)


def test_faster_rcnn_counts_1600_cells(icevision):
    _, model = _build(icevision, "faster_rcnn", "resnet18_fpn")
    model.eval()
    boxes, shape = _grid(40, 25, 16), [(1000, 1000)]
    proposals, _ = model.rpn.filter_proposals(
        boxes[None], torch.full((1600, 1), 5.0), shape, [len(boxes)]
    )
    assert len(proposals[0]) == 1600
    logits = torch.tensor([[0.0, 9.0, 0.0]]).repeat(1600, 1)
    found, _, _ = model.roi_heads.postprocess_detections(
        logits, torch.zeros(1600, 12), proposals, shape
    )
    assert len(found[0]) == 1600


def test_retinanet_counts_1600_cells(icevision):
    _, model = _build(icevision, "retinanet", "resnet18_fpn")
    boxes = _grid(40, 25, 16)
    head = {
        "cls_logits": [torch.tensor([[[-20.0, 5.0, -20.0]]]).repeat(1, 1600, 1)],
        "bbox_regression": [torch.zeros(1, 1600, 4)],
    }
    (found,) = model.postprocess_detections(head, [[boxes]], [(1000, 1000)])
    assert len(found["boxes"]) == 1600


def test_a_cap_that_is_asked_for_is_kept(icevision):
    _, model = _build(icevision, "faster_rcnn", "resnet18_fpn", box_detections_per_img=7)
    assert model.roi_heads.detections_per_img == 7


@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
def test_models_share_no_weights(family, icevision):
    model_type = getattr(icevision.models.torchvision, family)
    backbone = model_type.backbones.resnet18_fpn(pretrained=False)
    one, same = (model_type.model(num_classes=2, backbone=backbone) for _ in range(2))
    again = model_type.model(2, model_type.backbones.resnet18_fpn(pretrained=False))
    addresses = [{p.data_ptr() for p in model.parameters()} for model in (one, same, again)]
    assert not addresses[0] & addresses[1]
    assert not addresses[0] & addresses[2]


@pytest.mark.parametrize(("family", "backbone"), FAST)
def test_checkpoint_predicts_the_same(family, backbone, icevision, dataset, tmp_path):
    from icevision.models.checkpoint import model_from_checkpoint, save_icevision_checkpoint

    model_type, model = _build(icevision, family, backbone, **_few(family))
    if family == "retinanet":  # it starts with one chance in a hundred, below its own threshold
        torch.nn.init.constant_(model.head.classification_head.cls_logits.bias, 0.0)
    save_icevision_checkpoint(
        model,
        tmp_path / "model.pth",
        model_name=f"torchvision.{family}",
        backbone_name=backbone,
        classes=["a", "b"],
        img_size=SIZE,
    )
    torch.manual_seed(1)
    loaded = model_from_checkpoint(tmp_path / "model.pth")
    assert loaded["model_type"] is model_type
    if family == "faster_rcnn":
        loaded["model"].rpn._post_nms_top_n["testing"] = 50
    expected, found = (
        [p.pred.detection for p in model_type.predict(m, dataset, detection_threshold=0)]
        for m in (model, loaded["model"])
    )
    for one, other in zip(expected, found, strict=True):
        assert len(one.scores) > 0
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.label_ids, other.label_ids)
        np.testing.assert_array_equal([b.xyxy for b in one.bboxes], [b.xyxy for b in other.bboxes])


@pytest.mark.parametrize("backbone", ["mobilenet", "resnet18", "resnet18_fpn"])
def test_weights_that_cannot_be_had_are_named(backbone, icevision, offline):
    backbones = icevision.models.torchvision.faster_rcnn.backbones
    with pytest.raises(BridgeError) as error:
        getattr(backbones, backbone)(pretrained=True)
    said = str(error.value)
    assert "download.pytorch.org/models/" in said
    assert f"save it as {offline}" in said


def test_coco_weights_that_cannot_be_had_are_named(icevision, offline):
    for family, file in [("faster_rcnn", "fasterrcnn"), ("retinanet", "retinanet")]:
        with pytest.raises(BridgeError, match=rf"save it as .*{file}_resnet50_fpn_coco-\w+\.pth"):
            getattr(icevision.models.torchvision, family).model(num_classes=2)


def test_weights_in_torch_hub_s_folder_are_used(icevision, offline, monkeypatch):
    import torchvision

    from icevision_bridge import weights

    resnet = torchvision.models.resnet18(weights=None)
    file = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    offline.mkdir(parents=True)
    torch.save(resnet.state_dict(), offline / file)
    with pytest.raises(BridgeError, match="is damaged"):
        icevision.models.torchvision.faster_rcnn.backbones.resnet18_fpn(pretrained=True)
    monkeypatch.setattr(weights, "_is_intact", lambda *_: True)  # the sum of other weights
    config = icevision.models.torchvision.faster_rcnn.backbones.resnet18_fpn(pretrained=True)
    assert torch.equal(config.backbone.body.conv1.weight, resnet.conv1.weight)
