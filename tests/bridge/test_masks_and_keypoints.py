"""Beyond boxes: masks, key points and segmentation train, predict, are drawn and are judged."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from icevision_bridge.errors import BridgeError

SIDE = 128
# Proposals to look at: they are what takes most of the time of a small photo.
FEW = {"rpn_post_nms_top_n_train": 20, "rpn_post_nms_top_n_test": 20}
BOX = (30, 20, 70, 60)


def _photo(folder, number):
    pixels = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder / f"{number}.png"


def _mask(*box):
    xmin, ymin, xmax, ymax = box
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    mask[0, ymin:ymax, xmin:xmax] = 1
    return mask


@pytest.fixture
def record(icevision, tmp_path):
    """Makes the record of a photo with one cell, with further components if wanted."""
    ice = icevision

    def make(number, *components):
        made = ice.BaseRecord(
            (
                ice.FilepathRecordComponent(),
                ice.InstancesLabelsRecordComponent(),
                ice.BBoxesRecordComponent(),
                *components,
            )
        )
        made.set_record_id(number)
        made.set_filepath(_photo(tmp_path, number))
        made.set_img_size(ice.ImgSize(SIDE, SIDE), original=True)
        made.detection.set_class_map(ice.ClassMap(["cell"]))
        made.detection.add_labels(["cell"])
        made.detection.add_bboxes([ice.BBox.from_xyxy(*BOX)])
        return made

    return make


@pytest.fixture
def masked(icevision, record):
    records = [record(number, icevision.InstanceMasksRecordComponent()) for number in range(2)]
    for one in records:
        one.detection.add_masks([icevision.MaskArray(_mask(*BOX))])
    return _dataset(icevision, records)


@pytest.fixture
def pointed(icevision, record):
    class Tips(icevision.KeypointsMetadata):
        labels = ("left", "right")

    records = [record(number, icevision.KeyPointsRecordComponent()) for number in range(2)]
    for one in records:
        points = icevision.KeyPoints.from_xyv([30, 20, 2, 69, 59, 2], Tips)
        one.detection.add_keypoints([points])
    return _dataset(icevision, records)


@pytest.fixture
def painted(icevision, tmp_path):
    ice, records = icevision, []
    Image.fromarray(_mask(*BOX)[0]).save(tmp_path / "mask.png")
    for number in range(2):
        made = ice.BaseRecord(
            (
                ice.FilepathRecordComponent(),
                ice.SemanticMaskRecordComponent(),
                ice.ClassMapRecordComponent(task=ice.tasks.segmentation),
            )
        )
        made.set_record_id(number)
        made.set_filepath(_photo(tmp_path, number))
        made.set_img_size(ice.ImgSize(SIDE, SIDE), original=True)
        made.segmentation.set_class_map(ice.ClassMap(["cell"]))
        made.segmentation.set_mask(ice.SemanticMaskFile(tmp_path / "mask.png"))
        records.append(made)
    return _dataset(ice, records)


def _dataset(icevision, records):
    return icevision.Dataset(records, icevision.tfms.A.Adapter([icevision.tfms.A.Normalize()]))


def _train(model_type, model, dataset, metrics=()):
    """One step of training and one of validation; their losses and the metrics."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        loaders = [
            model_type.train_dl(dataset, batch_size=2),
            model_type.valid_dl(dataset, batch_size=2),
        ]
        learn = model_type.fastai.learner(dls=loaders, model=model, metrics=list(metrics))
        learn.unfreeze()
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-5)
    numbers = learn.recorder.values[0]
    assert np.isfinite(numbers).all()
    return numbers


def _shown(show, *args, **kwargs):
    """The pictures that a function of IceVision shows, as arrays."""
    plt.close("all")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*non-interactive")
        show(*args, **kwargs)
    shown = [axes.images[0].get_array() for axes in plt.gcf().axes if axes.images]
    plt.close("all")
    assert shown
    return shown


def assert_drawn(icevision, sample, inside, **kwargs):
    """On a black photo, something is drawn in the box ``inside`` and nothing far from the cell."""
    xmin, ymin, xmax, ymax = inside
    picture = icevision.draw_sample(
        sample,
        denormalize_fn=lambda image: np.zeros(image.shape, np.uint8),
        display_label=False,
        **kwargs,
    )[..., :3]
    assert picture[ymin:ymax, xmin:xmax].any(axis=2).all()
    assert not picture[90:, 90:].any()


@pytest.mark.parametrize("kind", ["masked", "mask_of_a_prediction"])
def test_masks_are_drawn(kind, icevision, masked):
    sample = masked[0]
    if kind == "mask_of_a_prediction":
        sample.detection.set_masks([])
    assert_drawn(icevision, sample, display_bbox=False, inside=(35, 25, 65, 55))


def _torchvision_masks(icevision):
    family = icevision.models.torchvision.mask_rcnn
    backbone = family.backbones.resnet18_fpn(pretrained=False)
    return family, family.model(num_classes=2, backbone=backbone, **FEW)


def _mmdet_masks(icevision):
    family = icevision.models.mmdet.mask_rcnn
    model = family.model(
        backbone=family.backbones.resnet50_fpn_1x(pretrained=False),
        num_classes=2,
        cfg_options={
            "model.test_cfg.rpn.max_per_img": 20,
            "model.train_cfg.rpn_proposal.max_per_img": 20,
        },
    )
    return family, model


def _mmdet_yolact(icevision):
    family = icevision.models.mmdet.yolact
    backbone = family.backbones.r50_1x8_coco(pretrained=False)
    return family, family.model(backbone=backbone, num_classes=2)


@pytest.mark.parametrize("build", [_torchvision_masks, _mmdet_masks, _mmdet_yolact])
def test_masks(build, icevision, masked):
    torch.manual_seed(0)
    family, model = build(icevision)
    metric = icevision.COCOMetric(metric_type=icevision.COCOMetricType.mask)
    _train(family, model, masked, [metric])
    infer = family.infer_dl(masked, batch_size=1)
    model.train()
    before = _predicted(family, model, infer)
    assert model.training
    model.eval()
    after = _predicted(family, model, infer)
    assert len(before) == 2
    for one, other in zip(before, after, strict=True):
        found = one.pred.detection
        assert found.mask_array.data.shape == (len(found.bboxes), SIDE, SIDE)
        np.testing.assert_array_equal(found.scores, other.pred.detection.scores)
        np.testing.assert_array_equal(found.mask_array.data, other.pred.detection.mask_array.data)
    pictures = _shown(
        family.show_results, model, masked, num_samples=1, ncols=1, detection_threshold=0.3
    )
    assert all(picture.shape[:2] == (SIDE, SIDE) for picture in pictures)


def _predicted(family, model, infer):
    return family.predict_from_dl(
        model, infer, show_pbar=False, keep_images=True, detection_threshold=0.0
    )


def test_key_points(icevision, pointed):
    torch.manual_seed(0)
    family = icevision.models.torchvision.keypoint_rcnn
    backbone = family.backbones.resnet18_fpn(pretrained=False)
    model = family.model(num_keypoints=2, backbone=backbone, **FEW)
    _train(family, model, pointed, [icevision.COCOMetric()])
    model.roi_heads.score_thresh = 0.0
    model.train()
    found = _predicted(family, model, family.infer_dl(pointed, batch_size=1))
    assert model.training
    detection = found[0].pred.detection
    assert len(detection.bboxes) == len(detection.keypoints) > 0
    assert all(len(points.xy) == 2 for points in detection.keypoints)
    assert_drawn(icevision, pointed[0], display_bbox=False, inside=(30, 20, 31, 21))


def test_segmentation(icevision, painted):
    torch.manual_seed(0)
    family = icevision.models.fastai.unet
    backbone = family.backbones.resnet18(pretrained=False)
    model = family.model(backbone=backbone, num_classes=2, img_size=SIDE)
    _train(family, model, painted)
    found = []
    for mode in (True, False):
        model.train(mode)
        predictions = family.predict_from_dl(
            model, family.infer_dl(painted, batch_size=1), show_pbar=False, keep_images=True
        )
        assert model.training is mode
        found.append([one.pred.segmentation.mask_array.data for one in predictions])
    np.testing.assert_array_equal(*found)
    assert found[0][0].shape == (1, SIDE, SIDE)
    pictures = _shown(family.show_results, model, painted, num_samples=1, ncols=1)
    assert len(pictures) == 2  # what is, and what was found


def test_two_u_nets_share_no_weights(icevision):
    family = icevision.models.fastai.unet
    backbone = family.backbones.resnet18(pretrained=False)
    models = [family.model(backbone, num_classes=2, img_size=64) for _ in range(2)]
    one, other = ({p.data_ptr() for p in model.parameters()} for model in models)
    assert not one & other


@pytest.mark.parametrize(
    ("found", "overlap"), [(BOX, 1.0), ((30, 20, 70, 50), 0.75), ((80, 80, 90, 90), 0.0)]
)
def test_masks_are_judged_by_their_overlap(found, overlap, icevision, record):
    """Precision and recall are the share of COCO's ten thresholds that the overlap reaches."""
    truth = record(0, icevision.InstanceMasksRecordComponent())
    truth.detection.add_masks([icevision.MaskArray(_mask(*BOX))])
    prediction = record(
        0, icevision.InstanceMasksRecordComponent(), icevision.ScoresRecordComponent()
    )
    prediction.detection.set_scores(np.array([0.9]))
    prediction.detection.add_masks([icevision.MaskArray(_mask(*found))])
    metric = icevision.COCOMetric(metric_type=icevision.COCOMetricType.mask)
    metric.accumulate([icevision.Prediction(pred=prediction, ground_truth=truth)])
    logs = metric.finalize()
    reached = np.mean(np.arange(0.5, 1, 0.05) <= overlap + 1e-9)
    assert logs["AP (IoU=0.50:0.95) area=all"] == pytest.approx(reached)
    assert logs["AR (IoU=0.50:0.95) area=all maxDets=100"] == pytest.approx(reached)


def _bodies(icevision, number, shift, points=17):
    """A photo with ``number`` bodies, their points on a diagonal, and what was found of them."""
    ice = icevision
    pair = []
    for moved in (0, shift):
        components = [
            ice.FilepathRecordComponent(),
            ice.InstancesLabelsRecordComponent(),
            ice.BBoxesRecordComponent(),
            ice.KeyPointsRecordComponent(),
        ]
        one = ice.BaseRecord((*components, *([ice.ScoresRecordComponent()] if pair else [])))
        one.set_record_id(0)
        one.set_filepath("photo.png")
        one.set_img_size(ice.ImgSize(2000, 2000), original=True)
        one.detection.set_class_map(ice.ClassMap(["body"]))
        one.detection.add_labels(["body"] * number)
        for body in range(number):
            x, y = 200 * (body % 10), 200 * (body // 10)
            one.detection.add_bboxes([ice.BBox.from_xywh(x, y, 100, 100)])
            places = [(x + 5 * i + moved, y + 5 * i, 2) for i in range(points)]
            flat = [number for place in places for number in place]
            one.detection.add_keypoints([ice.KeyPoints.from_xyv(flat, None)])
        pair.append(one)
    pair[1].detection.set_scores(np.linspace(0.9, 0.5, number))
    return ice.Prediction(pred=pair[1], ground_truth=pair[0])


def _judge_key_points(icevision, prediction):
    metric = icevision.COCOMetric(metric_type=icevision.COCOMetricType.keypoint)
    metric.accumulate([prediction])
    return metric.finalize()


def test_key_points_are_judged_by_their_distance(icevision):
    """COCO's similarity: the mean over points of exp(-d^2 / (2 s^2 (2 sigma)^2)), s^2 the area.

    The sigmas are those of https://cocodataset.org/#keypoints-eval.
    """
    half = [0.25, 0.35, 0.79, 0.72, 0.62, 1.07, 0.87, 0.89]  # eyes to ankles, left as right
    sigmas = np.array([0.26, *np.repeat(half, 2)]) / 10
    for shift in (0, 6, 60):
        similarity = np.exp(-(shift**2) / (2 * 100 * 100 * (2 * sigmas) ** 2)).mean()
        reached = np.mean(np.arange(0.5, 1, 0.05) <= similarity)
        logs = _judge_key_points(icevision, _bodies(icevision, 30, shift))
        assert logs["AP (OKS=0.50:0.95) area=all"] == pytest.approx(reached, abs=0.005)
        assert logs["AR (OKS=0.50:0.95) area=all"] == pytest.approx(reached)


def test_other_key_points_than_a_body_s_are_refused(icevision):
    with pytest.raises(BridgeError, match=r"17 points, and these labels have 2"):
        _judge_key_points(icevision, _bodies(icevision, 1, 0, points=2))
