"""Sliced inference finds each cell once, with its own score, class and place, in every family."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import ROOT

# (class, score, box) of each blob; slices of 128 px with 20 % overlap begin at 0, 103, 206, ...
BLOBS = [
    ("red", 0.6, (30, 20, 50, 41)),
    ("green", 0.9, (110, 100, 122, 131)),
    ("red", 0.6, (120, 60, 140, 80)),  # cut by the first slice's right edge
    ("green", 0.9, (240, 116, 268, 140)),  # cut by edges on both axes
    ("red", 0.6, (395, 270, 420, 300)),  # in the last corner
]
WIDTH, HEIGHT = 420, 300
SLICES = {"slice_height": 128, "slice_width": 128, "verbose": 0}
SIDE = 256


@pytest.fixture(scope="module")
def photo():
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for name, _, (xmin, ymin, xmax, ymax) in BLOBS:
        pixels[ymin:ymax, xmin:xmax, ["red", "green"].index(name)] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def sliced(icevision):
    """A model that finds coloured rectangles exactly, as a stand-in for a detector."""
    from icevision.models.inference_sahi import IceSahiModel

    def detect(img, transforms, model, class_map, detection_threshold=0.5, **kwargs):
        assert kwargs == {"return_img": False}
        boxes, numbers, scores = [], [], []
        for channel, name in reversed(list(enumerate(["red", "green"]))):
            mask = (np.asarray(img)[..., channel] > 128).astype(np.uint8)
            for x, y, w, h, _ in cv2.connectedComponentsWithStats(mask)[2][1:]:
                score = {"red": 0.6, "green": 0.9}[name]
                if score >= detection_threshold:
                    boxes.append(icevision.BBox.from_xyxy(*np.float32([x, y, x + w, y + h])))
                    numbers.append(class_map.get_by_name(name))
                    scores.append(score)
        return {
            "detection": {
                "bboxes": boxes,
                "label_ids": np.array(numbers, dtype=np.int64),
                "scores": np.array(scores, dtype=np.float32),
            }
        }

    def build(**kwargs):
        return IceSahiModel(
            model_type=SimpleNamespace(end2end_detect=detect), model=None, tfms=None, **kwargs
        )

    return build


def _found(detection):
    boxes = [tuple(map(float, box.xyxy)) for box in detection["bboxes"]]
    return sorted(zip(detection["labels"], detection["scores"], boxes, strict=True))


def _assert_blobs(found, blobs=BLOBS, atol=1e-6):
    assert [name for name, _, _ in found] == [name for name, _, _ in sorted(blobs)]
    for (_, score, box), (_, expected, place) in zip(found, sorted(blobs), strict=True):
        assert score == pytest.approx(expected)
        np.testing.assert_allclose(box, place, atol=atol)


@pytest.mark.parametrize(
    "options", [{}, {"perform_standard_pred": False}, {"batch_size": 4}], ids=str
)
@pytest.mark.parametrize("background", ["background", None])
def test_each_blob_is_found_once(options, background, icevision, sliced, photo):
    class_map = icevision.ClassMap(["red", "green"], background=background)
    model = sliced(class_map=class_map)
    found = model.get_sliced_prediction(photo, **SLICES, **options)
    _assert_blobs(_found(found["detection"]))
    numbers = [class_map.get_by_name(name) for name in found["detection"]["labels"]]
    assert list(found["detection"]["label_ids"]) == numbers
    assert (found["width"], found["height"]) == found["img"].size == (WIDTH, HEIGHT)


def test_picture_shows_the_boxes_and_can_be_left_out(icevision, sliced, photo):
    model = sliced(class_map=icevision.ClassMap(["red", "green"]))
    drawn = model.get_sliced_prediction(photo, return_as_pil_img=False, **SLICES)["img"]
    changed = (drawn != np.asarray(photo)).any(axis=2)
    assert changed[20:42, 29:52].any()  # around the first blob
    assert not changed[180:260, 20:200].any()  # far from any
    left_out = model.get_sliced_prediction(photo, return_img=False, **SLICES)
    assert left_out["img"] is None
    assert (left_out["width"], left_out["height"]) == (WIDTH, HEIGHT)
    _assert_blobs(_found(left_out["detection"]))


def test_sahi_s_own_format_can_be_kept(icevision, sliced, photo):
    model = sliced(class_map=icevision.ClassMap(["red", "green"]))
    result = model.get_sliced_prediction(photo, keep_sahi_format=True, **SLICES)
    found = sorted(
        (one.category.name, one.score.value, tuple(map(float, one.bbox.to_xyxy())))
        for one in result.object_prediction_list
    )
    _assert_blobs(found)
    assert (result.image_width, result.image_height) == (WIDTH, HEIGHT)
    assert model.category_mapping == {"0": "background", "1": "red", "2": "green"}
    annotations = result.to_coco_predictions(image_id=3)
    assert sorted(one["category_id"] for one in annotations) == [1, 1, 1, 2, 2]


def test_threshold_holds_for_slices(icevision, sliced, photo):
    model = sliced(class_map=icevision.ClassMap(["red", "green"]), confidence_threshold=0.7)
    found = model.get_sliced_prediction(photo, **SLICES)
    _assert_blobs(_found(found["detection"]), [blob for blob in BLOBS if blob[0] == "green"])


def test_nothing_is_found_on_an_empty_photo(icevision, sliced):
    model = sliced(class_map=icevision.ClassMap(["red", "green"]))
    found = model.get_sliced_prediction(Image.new("RGB", (300, 200)), **SLICES)
    assert found["detection"]["bboxes"] == []
    assert found["img"].size == (300, 200)


def test_photo_files_are_read_upright(icevision, sliced, photo, tmp_path, monkeypatch):
    """A camera held on its side stores the photo turned; Pillow's limits stay as they were."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "photo.png"
    photo.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)
    model = sliced(class_map=icevision.ClassMap(["red", "green"]))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    for given in (file, str(file), Image.open(file)):
        found = model.get_sliced_prediction(given, **SLICES)
        assert (found["width"], found["height"]) == found["img"].size == (WIDTH, HEIGHT)
        _assert_blobs(_found(found["detection"]))
    assert Image.MAX_IMAGE_PIXELS == 1_000_000


def _vfnet(icevision):
    from icevision.models.checkpoint import model_from_checkpoint

    loaded = model_from_checkpoint(ROOT / "models" / "rendered.pth")
    return loaded["model_type"], loaded["model"]


def _retinanet(icevision):
    family = icevision.models.torchvision.retinanet
    backbone = family.backbones.resnet18_fpn(pretrained=False)
    model = family.model(backbone=backbone, num_classes=3, score_thresh=0.0, topk_candidates=200)
    return family, model


def _efficientdet(icevision):
    family = icevision.models.ross.efficientdet
    backbone = family.backbones.tf_lite0(pretrained=False)
    return family, family.model(backbone=backbone, num_classes=3, img_size=SIDE)


def _yolov5(icevision):
    family = icevision.models.ultralytics.yolov5
    backbone = family.backbones.small(pretrained=False)
    model = family.model(backbone=backbone, num_classes=3, img_size=SIDE)
    for layer in model.model[-1].m:  # it starts with chances that its own threshold cuts off
        torch.nn.init.zeros_(layer.bias)
    return family, model


@pytest.mark.parametrize("build", [_vfnet, _retinanet, _efficientdet, _yolov5])
def test_every_library_finds_in_slices_what_it_finds_in_photos(build, icevision, labelled_photos):
    """Two photos side by side, cut into two slices, have the boxes of the one and of the other."""
    from icevision.models.inference_sahi import IceSahiModel

    torch.manual_seed(0)
    family, model = build(icevision)
    class_map = icevision.ClassMap(["a"] if build is _vfnet else ["a", "b"])
    tfms = icevision.tfms.A
    steps = tfms.Adapter([*tfms.resize_and_pad(SIDE), tfms.Normalize()])
    files = sorted(labelled_photos.glob("*.jpg"))[:2]
    photos = [Image.open(file).resize((300, 300)) for file in files]
    both = Image.new("RGB", (600, 300))
    both.paste(photos[0], (0, 0))
    both.paste(photos[1], (300, 0))

    def detect(photo, threshold):
        return family.end2end_detect(
            photo, steps, model, class_map, detection_threshold=threshold, return_img=False
        )["detection"]

    scores = sorted(score for photo in photos for score in detect(photo, 0.0)["scores"])
    threshold = float(np.mean(scores[-21:-19]))  # between two scores, so that none is on it
    expected = [
        (score, number, np.add(box.xyxy, (shift, 0, shift, 0)))
        for photo, shift in zip(photos, (0, 300), strict=True)
        for box, number, score in zip(
            *(detect(photo, threshold)[key] for key in ("bboxes", "label_ids", "scores")),
            strict=True,
        )
    ]
    sliced = IceSahiModel(family, model, class_map, steps, confidence_threshold=threshold)
    found = sliced.get_sliced_prediction(
        both,
        slice_height=300,
        slice_width=300,
        overlap_height_ratio=0.0,
        overlap_width_ratio=0.0,
        perform_standard_pred=False,
        postprocess_type="NMS",
        postprocess_match_metric="IOU",
        postprocess_match_threshold=0.999,  # nothing is suppressed twice
        verbose=0,
        keep_sahi_format=True,
    ).object_prediction_list
    found = [(one.score.value, one.category.id, one.bbox.to_xyxy()) for one in found]
    assert len(expected) > 10
    for one, other in zip(
        sorted(found, key=lambda box: (box[0], *box[2])),
        sorted(expected, key=lambda box: (box[0], *box[2])),
        strict=True,
    ):
        assert one[0] == pytest.approx(other[0], abs=1e-6)
        assert one[1] == other[1]
        np.testing.assert_allclose(one[2], other[2], atol=1e-3)
