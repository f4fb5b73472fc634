"""Varying a photo leaves every box tight around its needle."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cellcount.detector.recipe import Recipe
from cellcount.detector.varying import transforms

SIZE = 384


@pytest.fixture(scope="module")
def needle(icevision, tmp_path_factory):
    """A record of one blue needle that lies askew on white, with its exact box."""
    file = tmp_path_factory.mktemp("photo") / "needle.png"
    picture = Image.new("RGB", (600, 500), "white")
    ImageDraw.Draw(picture).line((200, 150, 420, 330), fill="blue", width=14)
    picture.save(file)
    dark = np.asarray(picture)[..., 0] < 128
    ys, xs = np.nonzero(dark)
    record = icevision.ObjectDetectionRecord()
    record.set_filepath(file)
    record.set_img_size(icevision.ImgSize(600, 500))
    record.detection.set_class_map(icevision.ClassMap(["needle"]))
    box = icevision.BBox.from_xyxy(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    record.detection.add_bboxes([box])
    record.detection.add_labels(["needle"])
    record.set_record_id(1)
    return record


def test_box_fits_its_needle_however_it_is_varied(icevision, needle):
    varied, _ = transforms(Recipe(SIZE, crop=SIZE))
    dataset = icevision.Dataset([needle], varied)
    lying = set()
    for _ in range(60):
        seen = dataset[0]
        assert seen.img.shape == (SIZE, SIZE, 3)
        # White and grey are as blue as they are red, however bright.
        ys, xs = np.nonzero(seen.img[..., 2] - seen.img[..., 0] > 2)
        boxes = seen.detection.bboxes
        if not len(xs):
            assert not boxes
            continue
        (box,) = boxes
        assert box.xyxy == pytest.approx((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), abs=8)
        lying.add(box.width > box.height)
    assert lying == {True, False}


def test_plain_photo_is_only_shrunk_and_padded(icevision, needle):
    seen = icevision.Dataset([needle], transforms(Recipe(SIZE, crop=SIZE))[1])[0]
    scale, edge = SIZE / 600, (SIZE - 500 * SIZE / 600) / 2
    before = np.array(needle.detection.bboxes[0].xyxy) * scale + (0, edge, 0, edge)
    assert seen.detection.bboxes[0].xyxy == pytest.approx(tuple(before), abs=1)
