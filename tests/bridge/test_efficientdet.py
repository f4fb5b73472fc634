"""EfficientDet through IceVision: offline, trained by fastai, all boxes, in the right place."""

import math
import os
import socket

import numpy as np
import pytest
import torch
from PIL import Image

from icevision_bridge import download
from icevision_bridge.errors import BridgeError
from tests.shared.drawn import boxes, drawn


@pytest.fixture
def efficientdet(icevision):
    return icevision.models.ross.efficientdet


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(download, "_WAITS", ())
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)


def build(efficientdet, size=128, classes=1, name="tf_lite0"):
    backbone = getattr(efficientdet.backbones, name)(pretrained=False)
    return efficientdet.model(backbone=backbone, num_classes=classes + 1, img_size=size)


class Sure(torch.nn.Module):
    """A network that is sure of certain boxes, in the place of EfficientDet's.

    ``cells`` names (level, row, column, anchor, class, how sure, (ty, tx, th, tw)): level 3 has
    stride 8. Every other place is as sure of a cell as ``background`` says, a logit.
    """

    def __init__(self, network, cells, background=-20.0):
        super().__init__()
        self.config = network.config
        height, width = self.config.image_size
        classes, anchors = self.config.num_classes, 9
        self.classes, self.boxes = [], []
        for level in range(3, 8):
            grid = (1, anchors, -1, height // 2**level, width // 2**level)
            scores = torch.full((1, anchors, classes, *grid[3:]), background)
            shifts = torch.zeros(1, anchors, 4, *grid[3:])
            for at, row, column, anchor, label, sure, shift in cells:
                if at == level:
                    scores[0, anchor, label, row, column] = sure
                    shifts[0, anchor, :, row, column] = torch.tensor(shift)
            self.classes.append(torch.nn.Parameter(scores.flatten(1, 2)))
            self.boxes.append(torch.nn.Parameter(shifts.flatten(1, 2)))
        self.register_parameter("first", self.classes[0])

    def forward(self, images):
        times = (len(images), 1, 1, 1)
        return [one.repeat(times) for one in self.classes], [
            one.repeat(times) for one in self.boxes
        ]


STILL = (0.0, 0.0, 0.0, 0.0)
# Anchor 0 of level 3 at row 5, column 9 is the square of 3 x 8 pixels around (76, 44): Google's
# automl/efficientdet has anchor_scale 3 for Lite. Half its side further down and twice as wide:
SHIFTED = (0.5, 0.0, 0.0, math.log(2))
SHIFTED_BOX = (52.0, 44.0, 100.0, 68.0)


def test_every_backbone_has_a_recipe(efficientdet):
    """Tan et al. 2020, table 1, for the largest; Google's automl/efficientdet for d7x."""
    from effdet import get_efficientdet_config

    configs = {
        name: get_efficientdet_config(getattr(efficientdet.backbones, name).model_name)
        for name in efficientdet.backbones.__all__
    }
    assert len(configs) == 28
    for name, backbone, levels in [("d6", "b6", 5), ("d7", "b6", 5), ("d7x", "b7", 6)]:
        recipe = configs[name]
        assert recipe.backbone_name == f"efficientnet_{backbone}"
        assert (recipe.fpn_channels, recipe.fpn_cell_repeats, recipe.box_class_repeats) == (
            384,
            8,
            5,
        )
        assert recipe.num_levels == levels
        assert recipe.name == f"efficientdet_{name}"


def test_trains_validates_and_predicts_offline(efficientdet, icevision, offline, tmp_path):
    """Also the smallest images, and a photo without cells."""
    model = build(efficientdet)
    cells = [("cell", (10, 20, 40, 90)), ("cell", (60, 60, 100, 80))]
    dataset = drawn(icevision, tmp_path, [cells, []])
    metric = icevision.COCOMetric(metric_type=icevision.COCOMetricType.bbox)
    loaders = [
        load(dataset, batch_size=2) for load in (efficientdet.train_dl, efficientdet.valid_dl)
    ]
    learn = efficientdet.fastai.learner(dls=loaders, model=model, metrics=[metric])
    learn.unfreeze()
    before = [[one.detach().clone() for one in group] for group in model.param_groups()]
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    train_loss, valid_loss, average_precision = learn.recorder.values[-1]
    assert 0 < train_loss < math.inf
    assert 0 < valid_loss < math.inf
    assert 0 <= average_precision <= 1
    for old, new in zip(before, model.param_groups(), strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))

    loader = efficientdet.infer_dl(dataset, batch_size=2)
    found = efficientdet.predict_from_dl(model, loader, show_pbar=False, detection_threshold=0.0)
    assert len(found) == 2
    for one, again in zip(found, efficientdet.predict(model, dataset, 0.0), strict=True):
        detection = one.pred.detection
        assert set(detection.label_ids) == {1}  # none of them is the background
        assert 0 < min(detection.scores) <= max(detection.scores) < 1
        assert boxes(one).min() >= 0
        assert boxes(one).max() <= 128
        np.testing.assert_allclose(again.pred.detection.scores, detection.scores, atol=1e-6)


@pytest.mark.parametrize("size", [(128, 256), (256, 256)])  # height, width
def test_boxes_lie_where_the_network_says(size, efficientdet, icevision, tmp_path):
    height, width = size
    model = build(efficientdet, size, classes=3)
    model.model = Sure(model.model, [(3, 5, 9, 0, 1, 3.0, SHIFTED)])
    dataset = drawn(icevision, tmp_path, [[]], (width, height), ("a", "b", "c"))
    loader = efficientdet.infer_dl(dataset, batch_size=1)
    (found,) = efficientdet.predict_from_dl(model, loader, show_pbar=False)
    np.testing.assert_allclose(boxes(found), [SHIFTED_BOX], atol=1e-3)
    assert found.pred.detection.labels == ["b"]
    assert found.pred.detection.scores[0] == pytest.approx(1 / (1 + math.exp(-3)), abs=1e-5)


def test_boxes_return_to_the_photo(efficientdet, icevision):
    """A photo of 512 x 256 is halved, and 64 pixels of border are put above and below."""
    model = build(efficientdet, 256)
    model.model = Sure(model.model, [(3, 8, 9, 0, 0, 3.0, STILL)])  # around (76, 68)
    tfms = icevision.tfms
    steps = tfms.A.Adapter([*tfms.A.resize_and_pad(256), tfms.A.Normalize()])
    photo = Image.fromarray(np.zeros((256, 512, 3), np.uint8))
    found = efficientdet.end2end_detect(photo, steps, model, icevision.ClassMap(["cell"]))
    (box,) = found["detection"]["bboxes"]
    np.testing.assert_allclose(box.xyxy, (128, 0, 176, 32), atol=1e-3)  # 2 * (56 - 64) is outside


def test_loss_is_least_for_the_labelled_box_and_class(efficientdet, icevision, tmp_path):
    dataset = drawn(icevision, tmp_path, [[("b", SHIFTED_BOX)]], (256, 256), ("a", "b", "c"))
    batch, _ = next(iter(efficientdet.valid_dl(dataset, batch_size=1)))

    def loss(row, column, label, shift):
        model = build(efficientdet, 256, classes=3).eval()
        sure = [(3, row, column, anchor, label, 20.0, shift) for anchor in range(9)]
        model.model = Sure(model.model, sure)
        return model(*batch)["box_loss"].item(), model(*batch)["class_loss"].item()

    labels = efficientdet.build_train_batch(dataset)[0][1]
    assert labels["bbox"][0].tolist() == [[44.0, 52.0, 68.0, 100.0]]  # y before x
    assert labels["cls"][0].tolist() == [2.0]  # 0 is the background
    assert loss(7, 9, 1, STILL)[1] < loss(7, 9, 2, STILL)[1]
    assert loss(7, 9, 1, STILL)[1] < loss(9, 7, 1, STILL)[1]


def test_photo_without_cells_teaches_no_box(efficientdet, icevision, tmp_path):
    model = build(efficientdet)
    model.model = Sure(model.model, [])
    dataset = drawn(icevision, tmp_path, [[]])
    for load in (efficientdet.train_dl, efficientdet.valid_dl):
        (images, targets), _ = next(iter(load(dataset, batch_size=1)))
        losses = model(images, targets)
        assert losses["box_loss"].item() == 0
        assert losses["class_loss"].item() < 1e-6


def test_crowds_are_counted(efficientdet, icevision, tmp_path):
    """1024 cells of 8 pixels, and nine candidates each: more than effdet looks at by itself."""
    model = build(efficientdet, 512)
    sides = 24 * 2 ** (np.arange(3) / 3)
    shifts = [
        (0.0, 0.0, math.log(8 / (side * high)), math.log(8 / (side * wide)))
        for side in sides
        for wide, high in ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
    ]
    cells = [
        (3, row, column, anchor, 0, 4.0 - row / 32, shifts[anchor])
        for row in range(0, 64, 2)
        for column in range(0, 64, 2)
        for anchor in range(9)
    ]
    model.model = Sure(model.model, cells)
    dataset = drawn(icevision, tmp_path, [[]], (512, 512))
    (found,) = efficientdet.predict(model, dataset)
    assert len(found.pred.detection.bboxes) == 32 * 32
    sides = boxes(found)[:, 2:] - boxes(found)[:, :2]
    np.testing.assert_allclose(sides, 8, atol=1e-3)


@pytest.mark.parametrize(("sure", "expected"), [(3.0, 400), (-5.0, 100)])
def test_metrics_get_all_likely_boxes_and_the_best_others(
    sure, expected, efficientdet, icevision, tmp_path
):
    """400 boxes that do not overlap; COCO's evaluation is too slow for those that are no cells."""
    model = build(efficientdet, 256)
    spots = [
        (3, row, column, 0, 0, sure, (0.0, 0.0, -2.0, -2.0))
        for row in range(20)
        for column in range(20)
    ]
    model.model = Sure(model.model, spots)
    model.param_groups = lambda: [list(model.parameters())]
    seen = []

    class Metric(icevision.Metric):
        def accumulate(self, preds):
            seen.extend(preds)

        def finalize(self):
            return {"photos": len(seen)}

    dataset = drawn(icevision, tmp_path, [[], [], []], (256, 256))
    loader = efficientdet.valid_dl(dataset, batch_size=3)
    learn = efficientdet.fastai.learner(dls=[loader, loader], model=model, metrics=[Metric()])
    with learn.no_bar(), learn.no_logging():
        learn.validate()
    assert [len(one.pred.detection.bboxes) for one in seen] == [expected] * 3


@pytest.mark.parametrize("training", [True, False])
def test_prediction_leaves_the_mode_as_it_was(training, efficientdet, icevision, tmp_path):
    model = build(efficientdet).train(training)
    efficientdet.predict(model, drawn(icevision, tmp_path, [[]]))
    assert {part.training for part in model.modules()} == {training}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (600, "multiple of 128: take 512 or 640 in the place of 600"),
        (None, r"EfficientDet wants .* write img_size=512"),
    ],
)
def test_wrong_size_is_refused_when_the_model_is_built(value, says, efficientdet):
    with pytest.raises(BridgeError, match=says):
        build(efficientdet, value)


def test_photos_of_another_size_are_refused(efficientdet, icevision, tmp_path):
    model = build(efficientdet, 128)
    dataset = drawn(icevision, tmp_path, [[]], (256, 256))
    says = "EfficientDet is built for images 128 pixels high .* 256 high .*: write size=128 in"
    with pytest.raises(BridgeError, match=says):
        efficientdet.predict(model, dataset)
    loader = efficientdet.train_dl(dataset, batch_size=1)
    learn = efficientdet.fastai.learner(dls=[loader, loader], model=model)
    with pytest.raises(BridgeError, match=says), learn.no_bar(), learn.no_logging():
        learn.fit(1)


def test_published_weights_are_asked_for_by_their_address(efficientdet, offline, tmp_path):
    backbone = efficientdet.backbones.tf_lite0(pretrained=True)
    says = r"get https://.*/tf_efficientdet_lite0-dfacfc78\.pth .* save it as .*/checkpoints/"
    with pytest.raises(BridgeError, match=says):
        efficientdet.model(backbone=backbone, num_classes=2, img_size=128)


def test_weights_nobody_published_are_named(efficientdet, offline):
    backbone = efficientdet.backbones.d2(pretrained=True)
    with pytest.raises(BridgeError, match=r"published weights of efficientdet_d2: .* tf_"):
        efficientdet.model(backbone=backbone, num_classes=2, img_size=128)


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_published_weights_are_used_and_cannot_run_code(
    efficientdet, offline, monkeypatch, tmp_path
):
    published = build(efficientdet, classes=90)
    file = tmp_path / "weights.pth"
    monkeypatch.setattr("icevision_bridge.weights.find_weights", lambda *_: file)
    backbone = efficientdet.backbones.tf_lite0(pretrained=True)
    torch.save(published.model.state_dict(), file)
    model = efficientdet.model(backbone=backbone, num_classes=2, img_size=128)
    for part in ("backbone", "fpn", "box_net"):
        there, here = (getattr(one.model, part).state_dict() for one in (published, model))
        assert all(torch.equal(there[name], here[name]) for name in there)

    torch.save({"first": _Bomb()}, file)
    with pytest.raises(BridgeError, match="holds program code"):
        efficientdet.model(backbone=backbone, num_classes=2, img_size=128)
    assert not (tmp_path / "exploded").exists()
