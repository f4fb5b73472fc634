"""Photos that are decoded once give what IceVision gives that decodes them every time."""

import pickle
import random

import cv2
import numpy as np
import pytest
from PIL import Image

from icevision_bridge import photo_cache

SIZE = 96
FORMATS = ["wide.png", "tall.png", "held.jpg", "deep.png"]
BOXES = [(30.0, 40.0, 90.5, 70.0), (100.0, 20.0, 140.0, 81.0)]


@pytest.fixture
def make(icevision, tmp_path):
    """A function that writes a photo and gives its record: 400 x 300 pixels, or 300 x 400."""

    def make_record(name="wide.png", extra=()):
        tall = name.startswith(("tall", "held"))
        width, height = (300, 400) if tall else (400, 300)
        noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
        photo = cv2.GaussianBlur(noise, (0, 0), 4) * 3  # as smooth as a photo
        if name.startswith("held"):  # stored lying on its side
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(np.rot90(photo)).save(tmp_path / name, exif=exif, quality=95)
        elif name.startswith("deep"):
            cv2.imwrite(str(tmp_path / name), photo[..., 0].astype(np.uint16) * 16)
        else:
            Image.fromarray(photo).save(tmp_path / name)
        record = icevision.ObjectDetectionRecord()
        for component in extra:
            record.add_component(component)
        record.set_record_id(name)
        record.set_filepath(tmp_path / name)
        record.set_img_size(icevision.ImgSize(width, height), original=True)
        record.detection.set_class_map(icevision.ClassMap(["cell"]))
        record.detection.add_bboxes([icevision.BBox.from_xyxy(*box) for box in BOXES])
        record.detection.add_labels(["cell"] * len(BOXES))
        return record

    return make_record


@pytest.fixture
def opened(icevision, monkeypatch):
    """The files that IceVision has opened."""
    from icevision.core import record_components

    files, open_img = [], record_components.open_img

    def open_and_note(file, **kwargs):
        files.append(file.name)
        return open_img(file, **kwargs)

    monkeypatch.setattr(record_components, "open_img", open_and_note)
    return files


@pytest.fixture
def transforms(icevision):
    """The walkthrough's two, small."""
    A = icevision.tfms.A
    move = A.ShiftScaleRotate(rotate_limit=0, scale_limit=0.2, border_mode=0)
    varied = A.aug_tfms(size=SIZE, presize=SIZE + 16, shift_scale_rotate=move)
    return {
        "varied": A.Adapter([A.RandomRotate90(), *varied, A.Normalize()]),
        "plain": A.Adapter([*A.resize_and_pad(SIZE), A.Normalize()]),
    }


def sample(get, dataset, number, seed):
    random.seed(seed)
    np.random.seed(seed)
    record = get(dataset, number)
    boxes = np.array([box.xyxy for box in record.detection.bboxes])
    return record, boxes


@pytest.mark.parametrize("kind", ["varied", "plain"])
@pytest.mark.parametrize("name", FORMATS)
def test_boxes_are_equal_and_pixels_almost(name, kind, icevision, make, transforms):
    dataset = icevision.Dataset([make(name)], transforms[kind])
    own = icevision.Dataset.__getitem__.__wrapped__
    for seed in range(8):
        record, boxes = sample(type(dataset).__getitem__, dataset, 0, seed)
        expected, expected_boxes = sample(own, dataset, 0, seed)
        np.testing.assert_allclose(boxes, expected_boxes, atol=1e-9)
        # In grey levels; turned before it is resized, a photo is rounded elsewhere.
        assert np.abs(record.img - expected.img).mean() * 255 * 0.225 < 0.3
        assert record.detection.label_ids == expected.detection.label_ids
        assert record.img_size == expected.img_size
        assert record.original_img_size == expected.original_img_size
        assert (record.width, record.height) == (expected.width, expected.height)


def test_each_photo_is_decoded_once(icevision, make, transforms, opened):
    records = [make(name) for name in FORMATS]
    dataset = icevision.Dataset(records, transforms["varied"])
    for _ in range(3):
        for number in range(len(records)):
            dataset[number - len(records)]
    assert opened == FORMATS
    assert [box.xyxy for box in records[0].detection.bboxes] == BOXES
    assert records[0].img is None
    with pytest.raises(IndexError):
        dataset[len(records)]


def test_what_does_not_fit_is_decoded_again(icevision, make, transforms, opened, monkeypatch):
    monkeypatch.setattr(photo_cache, "MOST_BYTES", 4 + SIZE * SIZE * 3)  # one of the two, 96 x 72
    dataset = icevision.Dataset([make("wide.png"), make("tall.png")], transforms["plain"])
    for number in (0, 1, 0, 1):
        assert dataset[number].img.shape == (SIZE, SIZE, 3)
    assert opened == ["wide.png", "tall.png", "tall.png"]


def test_records_of_another_kind_go_their_own_way(icevision, make, transforms, opened):
    more = icevision.ScoresRecordComponent(icevision.tasks.detection)
    scored, lying, small = make("wide.png", [more]), make("tall.png"), make("small.png")
    lying.set_img_size(icevision.ImgSize(333, 400), original=True)  # it has 300 x 400 pixels
    shrink = icevision.tfms.A.Adapter(icevision.tfms.A.resize_and_pad(SIZE))
    enlarge = icevision.tfms.A.Adapter(icevision.tfms.A.resize_and_pad(500))
    blur = icevision.tfms.A.Adapter([icevision.tfms.A.Blur(), *icevision.tfms.A.resize_and_pad(96)])
    for record, tfm in ((scored, shrink), (lying, shrink), (small, enlarge), (small, blur)):
        opened.clear()
        dataset = icevision.Dataset([record], tfm)
        for times in (1, 2):
            assert dataset[0].img.ndim == 3
            assert len(opened) >= times
    images = [np.zeros((200, 200, 3), np.uint8)]
    assert icevision.Dataset.from_images(images, shrink)[0].img.shape == (SIZE, SIZE, 3)
    assert icevision.Dataset([small])[0].img.shape == (300, 400, 3)


def test_other_transforms_and_records_are_followed(icevision, make, transforms):
    dataset = icevision.Dataset([make("wide.png"), make("deep.png")], transforms["plain"])
    wide, deep = dataset[0].img, dataset[1].img
    dataset.records.reverse()
    np.testing.assert_array_equal(dataset[0].img, deep)
    np.testing.assert_array_equal(dataset[1].img, wide)
    dataset.records.append(make("tall.png"))
    assert dataset[2].record_id == "tall.png"
    A = icevision.tfms.A
    dataset.tfm = A.Adapter(A.resize_and_pad(64))
    assert dataset[0].img.shape == (64, 64, 3)


def test_forked_workers_share_what_they_decode(icevision, make, transforms, opened):
    records = [make(name) for name in FORMATS]
    dataset = icevision.Dataset(records, transforms["plain"])
    vfnet = icevision.models.mmdet.vfnet
    loader = vfnet.train_dl(
        dataset, batch_size=1, num_workers=2, multiprocessing_context="fork", shuffle=False
    )
    assert sum(1 for _ in loader) == len(records)
    for number in range(len(records)):
        dataset[number]
    assert opened == []  # the workers have opened them, in their own processes


def test_pickled_data_set_keeps_its_photos_itself(icevision, make, transforms, opened):
    dataset = pickle.loads(pickle.dumps(icevision.Dataset([make()], transforms["plain"])))
    np.testing.assert_array_equal(dataset[0].img, dataset[0].img)
    assert opened == ["wide.png"]
