"""The bridge, taken as a whole: quiet, offline, and right about photos, boxes and counts."""

import os
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import icevision_bridge
from icevision_bridge.errors import BridgeError
from icevision_bridge.patches import Patch, lend
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def walked(labelled_photos, tmp_path_factory):
    """The walkthrough in a process without a network: its output, checkpoint and predictions."""
    folder = tmp_path_factory.mktemp("walkthrough")
    checkpoint, predictions = folder / "model.pth", folder / "predictions.npz"
    script = [sys.executable, str(ROOT / "tests" / "shared" / "offline_walkthrough.py")]
    arguments = [str(labelled_photos), str(checkpoint), str(predictions)]
    home = folder / "home"
    home.mkdir()
    done = subprocess.run(
        [*script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, checkpoint, predictions


def test_walkthrough_needs_no_network_and_says_nothing(walked):
    done, checkpoint, _ = walked
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
    assert checkpoint.is_file()


def test_checkpoint_predicts_the_same_in_another_process(walked, icevision):
    _, checkpoint, predictions = walked
    from icevision.models.checkpoint import model_from_checkpoint

    loaded = model_from_checkpoint(checkpoint)
    expected = np.load(predictions)
    assert len(expected["scores"]) > 0
    loaded["model"].bbox_head.test_cfg.score_thr = 0
    assert loaded["class_map"].get_classes() == ["background", "Microalgae"]
    assert loaded["checkpoint"]["meta"]["threshold"] == 0.3
    tfms = icevision.tfms
    resize = tfms.A.Adapter([*tfms.A.resize_and_pad(loaded["img_size"]), tfms.A.Normalize()])
    photo = icevision.Dataset.from_images(
        [np.array(Image.open(str(expected["photo"])))], resize, class_map=loaded["class_map"]
    )
    (found,) = loaded["model_type"].predict(loaded["model"], photo, detection_threshold=0.0)
    np.testing.assert_allclose(found.pred.detection.scores, expected["scores"], atol=1e-5)
    boxes = [box.xyxy for box in found.pred.detection.bboxes]
    np.testing.assert_allclose(boxes, expected["boxes"], atol=1e-2)


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("save", [torch.save, lambda it, path: path.write_bytes(pickle.dumps(it))])
def test_pickle_bomb_is_refused_and_does_not_go_off(save, tmp_path, monkeypatch, icevision):
    from icevision.models.checkpoint import model_from_checkpoint

    monkeypatch.chdir(tmp_path)
    bomb = tmp_path / "model.pth"
    save({"state_dict": {}, "meta": {"classes": ["cell"], "model_name": _Bomb()}}, bomb)
    with pytest.raises(BridgeError, match=r"model\.pth"):
        model_from_checkpoint(bomb)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "says"), [(None, "is not there"), (b"", "damaged"), (b"PK\x03\x04cut", "damaged")]
)
def test_unusable_checkpoint_is_named(content, says, tmp_path, icevision):
    from icevision.models.checkpoint import model_from_checkpoint

    file = tmp_path / "model.pth"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BridgeError, match=says):
        model_from_checkpoint(file)


def test_pretrained_false_asks_for_no_weights(icevision, monkeypatch):
    def fetch(*_args, **_kwargs):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    vfnet = icevision.models.mmdet.vfnet
    model = vfnet.model(backbone=vfnet.backbones.resnet50_fpn_1x(pretrained=False), num_classes=2)
    assert model.backbone.init_cfg is None or "Pretrained" not in str(model.backbone.init_cfg)


def test_more_than_100_cells_are_found(icevision):
    """A head that is sure of 400 places, far enough apart, must return 400 boxes."""
    vfnet = icevision.models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=False)
    head = vfnet.model(backbone=backbone, num_classes=2).bbox_head
    sides = [80, 40, 20, 10]
    scores = [torch.full((1, 1, side, side), -20.0) for side in sides]
    scores[0][:, :, ::4, ::4] = 5.0
    distances = [torch.full((1, 4, side, side), 10.0) for side in sides]
    meta = [{"img_shape": (640, 640, 3), "scale_factor": np.ones(4)}]
    ((boxes, _),) = head.get_bboxes(scores, distances, img_metas=meta)
    assert len(boxes) == 20 * 20


def test_metric_sees_more_than_100_cells(icevision):
    """150 cells found exactly are a recall and a precision of 1."""
    record, prediction = _photo_with_boxes(icevision, 150)
    metric = icevision.COCOMetric(metric_type=icevision.COCOMetricType.bbox)
    metric.accumulate([icevision.Prediction(pred=prediction, ground_truth=record)])
    logs = metric.finalize()
    assert logs["AR (IoU=0.50:0.95) area=all maxDets=100"] == pytest.approx(1)
    assert logs["AP (IoU=0.50:0.95) area=all"] == pytest.approx(1)


def _photo_with_boxes(icevision, number):
    boxes = [icevision.BBox.from_xywh(20 * (i % 15), 20 * (i // 15), 12, 12) for i in range(number)]
    record, prediction = icevision.ObjectDetectionRecord(), icevision.ObjectDetectionRecord()
    prediction.add_component(icevision.ScoresRecordComponent())
    for each in (record, prediction):
        each.set_record_id(1)
        each.set_filepath("photo.jpg")
        each.set_img_size(icevision.ImgSize(300, 300), original=True)
        each.detection.set_class_map(icevision.ClassMap(["cell"]))
        each.detection.add_labels(["cell"] * number)
        each.detection.add_bboxes(boxes)
    prediction.detection.set_scores(np.linspace(0.9, 0.5, number))
    return record, prediction


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000), (999, 998), (400, 300)])
def test_boxes_return_to_the_photo_exactly(size, icevision):
    """What the transforms do to a box on its way in, end2end_detect undoes on its way out."""
    import albumentations as A
    from icevision.models import inference

    width, height = size
    steps = icevision.tfms.A.resize_and_pad(640)
    box = (0.25 * width + 0.3, 0.5 * height + 0.7, 0.25 * width + 31.9, 0.5 * height + 20.2)
    compose = A.Compose(steps, bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]))
    blank = np.zeros((height, width, 3), np.uint8)
    ((*inside, _),) = [(*b, 0) for b in compose(image=blank, bboxes=[box], labels=[0])["bboxes"]]
    back = inference.postprocess_bbox(
        Image.fromarray(blank), icevision.BBox.from_xyxy(*inside), steps, 640, 640
    )
    np.testing.assert_allclose(back, box, atol=1e-3)


def _stub_model_type(seen):
    """A predict function that boxes the white pixels of what the detector is shown."""
    from icevision.models.mmdet.common.bbox import prediction

    def predict(model, dataset, detection_threshold):
        (record,) = dataset
        seen.append(record.img.shape)
        ys, xs = np.nonzero(record.img[..., 0] > 2)
        raw = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.9]], dtype=float)
        sample = {"img": torch.zeros(3, *record.img.shape[:2])}
        return [prediction.convert_raw_prediction(sample, [raw], record, detection_threshold)]

    return predict


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_are_counted_upright(orientation, icevision, tmp_path):
    """A white bar in the upright photo's upper left is found there, whatever the camera stored."""
    from icevision.models.inference import _end2end_detect

    upright = np.zeros((300, 400, 3), np.uint8)
    upright[20:40, 30:130] = 255
    # How a camera that is held so stores the upright picture (EXIF 2.32, tag 0x0112).
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = tmp_path / "photo.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(photo, exif=exif)

    tfms = icevision.tfms
    steps = tfms.A.Adapter([*tfms.A.resize_and_pad(200), tfms.A.Normalize()])
    class_map = icevision.ClassMap(["cell"])
    for given in (photo, Image.open(photo)):
        found = _end2end_detect(
            given, steps, None, class_map, predict_fn=_stub_model_type([]), return_img=False
        )
        assert (found["width"], found["height"]) == (400, 300)
        (box,) = found["detection"]["bboxes"]
        np.testing.assert_allclose(box.xyxy, (30, 20, 130, 40), atol=2)
    assert icevision.get_img_size(photo) == (400, 300)


def test_xml_that_disagrees_with_its_photo_is_reported(icevision, tmp_path):
    said = []
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>other.jpg</filename><size><width>60</width><height>80</height>"
        "<depth>3</depth></size><object><name>cell</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
        "<xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"
    )
    parser = icevision.parsers.VOCBBoxParser(tmp_path, tmp_path)
    logger = icevision.logger
    sink = logger.add(lambda message: said.append(str(message)))
    (record,) = parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)[0]
    logger.remove(sink)
    assert any("a.xml names the photo other.jpg" in line for line in said)
    assert any("60 x 80 pixels, but it is 80 x 60" in line for line in said)
    assert record.filepath == tmp_path / "a.png"
    assert (record.width, record.height) == (80, 60)


def test_late_bridge_says_to_restart():
    code = "import mmcv, cellcount as cc\ncc.apply_bridge()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "restart the kernel" in done.stderr.splitlines()[-1]


def test_exchanged_package_says_to_restart(monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.0.0")
    with pytest.raises(BridgeError, match=r"numpy .* restart the kernel"):
        icevision_bridge._refuse_stale_modules()


def test_spans_that_do_not_fit_the_installed_version_do_nothing():
    def mend():
        raise AssertionError("applied")
        yield

    old = Patch("x", "mmcv", "mmcv", "<1", "", "", mend)
    absent = Patch("x", "nothing", "no-such-library", "", "", "", mend)
    assert not old.applies()
    assert not absent.applies()


def test_lent_module_is_taken_back_and_never_hides_a_real_one():
    with lend("no_such_module", answer=42), lend("json", answer=42):
        import json

        import no_such_module

        assert no_such_module.answer == 42
        assert not hasattr(json, "answer")
    assert "no_such_module" not in sys.modules


def test_module_is_stood_in_for_where_asked():
    import json

    with lend("json", instead=True, back=None):
        assert sys.modules["json"].back is None
    assert sys.modules["json"] is json


def test_nothing_of_tkinter_is_wanted():
    """Debian's python3 comes without tkinter, and so without a turtle that can be imported."""
    code = (
        "import sys; sys.modules['tkinter'] = None; import cellcount as cc; cc.apply_bridge(); "
        "from icevision.all import *; print(models.mmdet.mask_rcnn.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("mask_rcnn"), done.stderr
