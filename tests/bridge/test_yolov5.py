"""YOLOv5 through IceVision: offline, trained by fastai, all boxes in the right place, no pickle."""

import math
import os
import socket
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from icevision_bridge import download, yolov5_weights
from icevision_bridge.errors import BridgeError
from icevision_bridge.yolov5_icevision import suppress
from tests.shared.drawn import boxes, drawn
from tests.shared.loopback import serve


@pytest.fixture
def yolov5(icevision):
    return icevision.models.ultralytics.yolov5


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(download, "_WAITS", ())
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(tmp_path)


def build(yolov5, size=128, classes=1, name="small"):
    backbone = getattr(yolov5.backbones, name)(pretrained=False)
    return yolov5.model(backbone=backbone, num_classes=classes + 1, img_size=size)


class Said(torch.nn.Module):
    """A last layer that says ``cells`` of one level, whatever it is shown.

    They are (row, column, anchor, class, logits of x, y, w, h); all other places say no.
    """

    def __init__(self, stride, classes, cells):
        super().__init__()
        self.stride, self.classes, self.cells = stride, classes, cells
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, features):
        number, _, height, width = features.shape
        said = torch.full((number, 3, 5 + self.classes, height, width), -20.0)
        for row, column, anchor, label, shift in self.cells:
            said[:, anchor, :4, row, column] = torch.tensor(shift)
            said[:, anchor, [4, 5 + label], row, column] = 20.0
        return said.flatten(1, 2) + self.weight


def let_say(model, classes, *levels):
    """Make the last layers of ``model`` say ``levels``, cells of stride 8 first."""
    detect = model.model[-1]
    levels = [*levels, *[[]] * (len(detect.m) - len(levels))]
    detect.m = torch.nn.ModuleList(
        Said(8 * 2**index, classes, cells) for index, cells in enumerate(levels)
    )
    return model


STILL = (0.0, 0.0, 0.0, 0.0)
# The last anchor of stride 8 is 33 x 23 pixels (models/yolov5s.yaml); logits of 0 leave it that
# large, on the middle of its place: row 5, column 9 is around (76, 44).
BOX = (59.5, 32.5, 92.5, 55.5)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["small", "small_p6"])
def test_trains_validates_and_predicts_offline(name, yolov5, icevision, tmp_path, capfd):
    """Also a photo without cells; and a batch's every photo is looked at by metrics."""
    model = build(yolov5, classes=2, name=name)
    assert capfd.readouterr() == ("", "")
    cells = [("a", (10, 20, 40, 90)), ("b", (60, 60, 100, 80))]
    dataset = drawn(icevision, tmp_path, [cells, [], cells], classes=("a", "b"))
    seen = []

    class Metric(icevision.COCOMetric):
        def accumulate(self, preds):
            seen.extend(preds)
            super().accumulate(preds)

    loaders = [load(dataset, batch_size=3) for load in (yolov5.train_dl, yolov5.valid_dl)]
    metric = Metric(metric_type=icevision.COCOMetricType.bbox)
    learn = yolov5.fastai.learner(dls=loaders, model=model, metrics=[metric])
    learn.unfreeze()
    before = [[one.detach().clone() for one in group] for group in model.param_groups()]
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    train_loss, valid_loss, average_precision = learn.recorder.values[-1]
    assert 0 < train_loss < math.inf
    assert 0 < valid_loss < math.inf
    assert 0 <= average_precision <= 1
    assert [one.ground_truth.record_id for one in seen] == [0, 1, 2]
    for old, new in zip(before, model.param_groups(), strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))

    loader = yolov5.infer_dl(dataset, batch_size=3)
    found = yolov5.predict_from_dl(model, loader, show_pbar=False, detection_threshold=0.0)
    assert len(found) == 3
    for one, again in zip(found, yolov5.predict(model, dataset, 0.0), strict=True):
        detection = one.pred.detection
        assert set(detection.label_ids) <= {1, 2}  # none of them is the background
        assert 0 < min(detection.scores) <= max(detection.scores) < 1
        np.testing.assert_allclose(again.pred.detection.scores, detection.scores, atol=1e-6)


def test_photos_without_cells_train(yolov5, icevision, tmp_path):
    model = build(yolov5)
    loader = yolov5.train_dl(drawn(icevision, tmp_path, [[], []]), batch_size=2)
    learn = yolov5.fastai.learner(dls=[loader, loader], model=model)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    assert 0 < learn.recorder.values[-1][0] < math.inf


@pytest.mark.parametrize(("width", "height"), [(128, 128), (160, 96)])
def test_boxes_lie_where_the_network_says(width, height, yolov5, icevision, tmp_path):
    model = let_say(build(yolov5, classes=3), 3, [(5, 9, 2, 1, STILL)])
    dataset = drawn(icevision, tmp_path, [[]], (width, height), ("a", "b", "c"))
    loader = yolov5.infer_dl(dataset, batch_size=1)
    (found,) = yolov5.predict_from_dl(model, loader, show_pbar=False)
    np.testing.assert_allclose(boxes(found), [BOX], atol=1e-3)
    assert found.pred.detection.labels == ["b"]


def test_boxes_return_to_the_photo(yolov5, icevision):
    """A photo of 256 x 128 is halved, and 32 pixels of border are put above and below."""
    model = let_say(build(yolov5), 1, [(5, 9, 2, 0, STILL)])
    tfms = icevision.tfms
    steps = tfms.A.Adapter([*tfms.A.resize_and_pad(128), tfms.A.Normalize()])
    photo = Image.fromarray(np.zeros((128, 256, 3), np.uint8))
    found = yolov5.end2end_detect(photo, steps, model, icevision.ClassMap(["cell"]))
    (box,) = found["detection"]["bboxes"]
    np.testing.assert_allclose(box.xyxy, (119, 1, 185, 47), atol=1e-3)


def test_loss_is_least_for_the_labelled_box_and_class(yolov5, icevision, tmp_path):
    dataset = drawn(icevision, tmp_path, [[("b", BOX)]], classes=("a", "b", "c"))
    from yolov5.utils.loss import ComputeLoss

    (images, targets), _ = yolov5.build_train_batch(dataset)

    def loss(row, column, label):
        there = [(row, column, 2, label, STILL)]
        model = let_say(build(yolov5, classes=3), 3, there).eval()
        _, (box, _, kind) = ComputeLoss(model)(model(images)[1], targets)
        return box.item(), kind.item()

    assert loss(5, 9, 1)[0] < loss(9, 5, 1)[0]
    assert loss(5, 9, 1)[1] < loss(5, 9, 2)[1]
    assert loss(5, 9, 1)[1] < loss(5, 9, 0)[1]


def test_crowds_are_counted(yolov5, icevision, tmp_path):
    """1024 cells, more than yolov5's 300; two places apart, and made small by the logit -1."""
    cells = [
        (row, column, 0, 0, (0.0, 0.0, -1.0, -1.0))
        for row in range(0, 64, 2)
        for column in range(0, 64, 2)
    ]
    model = let_say(build(yolov5, 512), 1, cells)
    (found,) = yolov5.predict(model, drawn(icevision, tmp_path, [[]], (512, 512)))
    assert len(found.pred.detection.bboxes) == 32 * 32


def _candidates(seed, photos=2, number=400, classes=3):
    """Random candidates as a network gives them, of which about half are sure to be something."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.rand(photos, number, 2, generator=draw) * 300
    sides = 10 + torch.rand(photos, number, 2, generator=draw) * 50
    sure = torch.rand(photos, number, 1 + classes, generator=draw)
    return torch.cat((centres, sides, sure), 2)


@pytest.mark.parametrize("classes", [1, 3])
def test_suppression_is_that_of_yolov5_below_its_cap(classes):
    from yolov5.utils.general import non_max_suppression

    candidates = _candidates(classes, classes=classes)
    expected = non_max_suppression(candidates.clone(), 0.4, 0.45)
    for ours, theirs in zip(suppress(candidates, 0.4, 0.45), expected, strict=True):
        assert 50 < len(theirs) < 300
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_classes_do_not_suppress_each_other_on_large_photos():
    """yolov5 moves each class 4096 pixels on, where these two meet."""
    left = torch.tensor([100.0, 50, 30, 30, 1, 0, 1])
    right = torch.tensor([4196.0, 50, 30, 30, 1, 0.9, 0])
    (found,) = suppress(torch.stack((left, right))[None], 0.25, 0.45)
    assert found[:, 5].tolist() == [1, 0]


def test_metrics_get_likely_boxes_and_some_others(yolov5, icevision, tmp_path):
    """Beside those that may be cells a thousand candidates, not all 16128 of a photo of 512."""
    cells = [
        (row, column, 0, 0, (0.0, 0.0, -1.0, -1.0))
        for row in range(0, 64, 2)
        for column in range(0, 64, 2)
    ]
    seen = []

    class Metric(icevision.Metric):
        def accumulate(self, preds):
            seen.append(len(preds[0].pred.detection.bboxes))

        def finalize(self):
            return {"photos": len(seen)}

    dataset = drawn(icevision, tmp_path, [[]], (512, 512))
    for model in (let_say(build(yolov5, 512), 1, cells), build(yolov5, 512)):
        loader = yolov5.valid_dl(dataset, batch_size=1)
        learn = yolov5.fastai.learner(dls=[loader, loader], model=model, metrics=[Metric()])
        with learn.no_bar(), learn.no_logging():
            learn.validate()
    likely, young = seen
    assert likely == 32 * 32
    assert 0 < young <= 1000


@pytest.mark.parametrize("training", [True, False])
def test_prediction_leaves_the_mode_as_it_was(training, yolov5, icevision, tmp_path):
    model = build(yolov5).train(training)
    yolov5.predict(model, drawn(icevision, tmp_path, [[]]))
    assert {part.training for part in model.modules()} == {training}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("small", 600, "multiple of 32: take 576 or 608 in the place of 600"),
        ("small_p6", 608, "multiple of 64: take 576 or 640 in the place of 608"),
        ("small", None, r"YOLOv5 wants .* write img_size=512"),
    ],
)
def test_wrong_size_is_refused_when_the_model_is_built(name, value, says, yolov5):
    with pytest.raises(BridgeError, match=says):
        build(yolov5, value, name=name)


def test_sizes_are_multiples_of_the_coarsest_stride(yolov5):
    assert build(yolov5).stride.max() == 32
    assert build(yolov5, name="small_p6").stride.max() == 64


def test_photos_of_a_wrong_size_are_refused(yolov5, icevision, tmp_path):
    model = build(yolov5, 128)
    yolov5.predict(model, drawn(icevision, tmp_path, [[]], (160, 128)))
    dataset = drawn(icevision, tmp_path, [[]], (150, 128))
    says = r"multiple of 32: take 128 or 160 in the place of 150 in the transforms \(size"
    with pytest.raises(BridgeError, match=says):
        yolov5.predict(model, dataset)
    loader = yolov5.train_dl(dataset, batch_size=1)
    learn = yolov5.fastai.learner(dls=[loader, loader], model=model)
    with pytest.raises(BridgeError, match=says), learn.no_bar(), learn.no_logging():
        learn.fit(1)


def test_objects_are_weighed_by_the_area_of_the_images(yolov5):
    """yolov5's train.py: obj *= (imgsz / 640) ** 2, with three levels."""
    assert build(yolov5, 320).hyp["obj"] == pytest.approx(0.25)
    assert build(yolov5, (320, 640)).hyp["obj"] == pytest.approx(0.5)


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.fixture
def published(yolov5, monkeypatch, tmp_path):
    """Saves a network as YOLOv5's own training does, in the place where IceVision looks for it."""
    import sys

    import yolov5 as library
    from icevision.models.ultralytics.yolov5.model import model as _  # noqa: F401

    folder = tmp_path / "yolo"
    folder.mkdir()
    monkeypatch.setattr(
        sys.modules["icevision.models.ultralytics.yolov5.model"], "yolo_dir", folder
    )
    file = folder / "yolov5s.pt"

    def save(bomb=None):
        network = library.models.yolo.Model(
            Path(library.__file__).parent / "models" / "yolov5s.yaml", nc=80
        )
        with pytest.MonkeyPatch.context() as patch:
            for name in ("models", "models.yolo", "models.common"):
                module = sys.modules[f"yolov5.{name}"]
                patch.setitem(sys.modules, name, module)
                for one in vars(module).values():
                    if getattr(one, "__module__", "") == f"yolov5.{name}":
                        patch.setattr(one, "__module__", name)
            torch.save({"model": network.half(), "epoch": -1, "extra": bomb}, file)
        return network

    save.file = file
    return save


def pretrained(yolov5, **kwargs):
    backbone = yolov5.backbones.small()  # IceVision's default is pretrained
    return yolov5.model(backbone=backbone, num_classes=2, img_size=128, **kwargs)


def test_published_weights_are_not_loaded_unasked(published, yolov5, offline, tmp_path):
    published(_Bomb())
    with pytest.raises(BridgeError, match=r"are a program, .*pretrained=False") as refusal:
        pretrained(yolov5)
    assert "yolov5.model(..., trust_pickled_weights=True)" in str(refusal.value)
    assert not Path("exploded").exists()
    build(yolov5)
    assert not Path("exploded").exists()


def test_published_weights_are_warned_of_before_they_are_loaded(published, yolov5, offline):
    published(_Bomb())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="could do anything on this computer"):
            pretrained(yolov5, trust_pickled_weights=True)
    assert not Path("exploded").exists()
    with pytest.warns(UserWarning, match="could do anything") as warned:
        pretrained(yolov5, trust_pickled_weights=True)
    assert Path("exploded").is_dir()
    assert {one.filename for one in warned if one.category is UserWarning} == {__file__}


def test_published_weights_put_there_by_hand_are_used(published, yolov5, offline):
    import sys

    network = published()
    paths = list(sys.path)
    with pytest.warns(UserWarning, match="trust_pickled_weights"):
        model = pretrained(yolov5, trust_pickled_weights=True)
    assert sys.path == paths
    assert not {"models", "models.yolo", "models.common", "utils"} & set(sys.modules)
    there, here = network.model[:-1].state_dict(), model.model[:-1].state_dict()
    assert all(torch.equal(here[name], there[name].float()) for name in here)
    assert model.nc == 1


def test_published_weights_are_fetched_when_they_are_missing(
    published, yolov5, monkeypatch, tmp_path
):
    published()
    content = {"yolov5s.pt": published.file.read_bytes()}
    published.file.unlink()
    with serve(content, monkeypatch) as server:
        yolov5_weights.find_published(published.file, server.url)
    assert server.asked("yolov5s.pt") == [None]
    assert zipfile.is_zipfile(published.file)


@pytest.mark.filterwarnings("ignore:YOLOv5's published weights")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"get https://.*/v6\.0/yolov5s\.pt .* save it as .*/yolo/yolov5s\.pt on this one"),
        (b"<html>", r"yolov5s\.pt is damaged: delete it"),
        ({"model": {}}, r"yolov5s\.pt is not of YOLOv5's release 6\.0 .*: put https"),
    ],
)
def test_weights_that_cannot_be_used_are_named(content, says, published, yolov5, offline):
    import sys

    paths = list(sys.path)
    if isinstance(content, bytes):
        published.file.write_bytes(content)
    elif content is not None:
        torch.save(content, published.file)
    with pytest.raises(BridgeError, match=says):
        pretrained(yolov5, trust_pickled_weights=True)
    assert sys.path == paths
