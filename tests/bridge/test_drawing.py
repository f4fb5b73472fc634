"""IceVision's pictures with boxes are what they were, and need no copy of the photo for each."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import PIL.Image
import pytest

from icevision_bridge.python import with_numpy_aliases


@pytest.fixture(scope="module")
def original(icevision):
    """IceVision's own file that draws, loaded a second time without its patches."""
    patched = sys.modules["icevision.visualize.draw_data"]
    spec = spec_from_file_location("drawn_as_it_was", patched.__file__)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    with_numpy_aliases(module)
    return module


def a_record(icevision, count, *, masks=False):
    """Boxes of all sizes, some over the rim, with scores, on a photo of noise."""
    random = np.random.default_rng(0)
    height, width = 120, 160
    parts = [
        icevision.ScoresRecordComponent(),
        icevision.ImageRecordComponent(),
        icevision.InstancesLabelsRecordComponent(),
        icevision.BBoxesRecordComponent(),
    ]
    record = icevision.BaseRecord(
        (*parts, icevision.InstanceMasksRecordComponent()) if masks else parts
    )
    record.set_img(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    record.detection.set_class_map(icevision.ClassMap(["cell"]))
    record.detection.add_labels_by_id([1] * count)
    corners = random.uniform(0, (width - 9, height - 9), (count, 2))
    boxes = [(x, y, x + w, y + w / 2) for (x, y), w in zip(corners, range(5, 105, 3), strict=False)]
    record.detection.add_bboxes([icevision.BBox.from_xyxy(*box) for box in boxes])
    record.detection.set_scores(random.uniform(0, 1, count))
    if masks:
        planes = random.uniform(0, 1, (count, height, width)) > 0.5
        record.detection.set_mask_array(icevision.MaskArray(planes.astype(np.uint8)))
    return record


WAYS = {
    "boxes with labels": {},
    "large letters": {"font_size": 30, "label_border_color": "#FF0000"},
    "no boxes": {"display_bbox": False},
    "a colour for the class": {"color_map": {"cell": "#10E020"}},
    "as a picture": {"return_as_pil_img": True},
    "nothing at all": {"display_bbox": False, "display_label": False, "return_as_pil_img": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("masks", [False, True], ids=["plain", "masks"])
def test_the_picture_is_the_same_to_the_last_byte(way, masks, icevision, original):
    drawn = []
    for draw in (original.draw_sample, icevision.draw_sample):
        np.random.seed(0)
        drawn.append(draw(a_record(icevision, 3 if masks else 12, masks=masks), **WAYS[way]))
    assert type(drawn[1]) is type(drawn[0])
    np.testing.assert_array_equal(*drawn, strict=True)


def test_a_single_box_is_drawn_into_an_array_as_before(icevision, original):
    photo, box = np.zeros((40, 50, 3), np.uint8), icevision.BBox.from_xyxy(5, 6, 30, 31)
    drawn = [draw(photo, box, (255, 0, 9)) for draw in (original.draw_bbox, icevision.draw_bbox)]
    assert drawn[1].any()
    np.testing.assert_array_equal(*drawn, strict=True)


def test_the_photo_is_copied_as_often_for_many_boxes_as_for_one(icevision, monkeypatch):
    copied, whole = [], PIL.Image.Image.tobytes

    def counted(self, *args, **kwargs):
        copied.append(self.size)
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(PIL.Image.Image, "tobytes", counted)
    needed = []
    for count in (1, 12):
        copied.clear()
        icevision.draw_sample(a_record(icevision, count))
        needed.append(copied.count((160, 120)))
    assert needed == [1, 1]


def test_the_size_without_padding_is_known_without_the_pixels(icevision, monkeypatch):
    monkeypatch.setattr(PIL.Image.Image, "tobytes", None)
    transforms = icevision.tfms.A.resize_and_pad(64)
    module = sys.modules["icevision.tfms.albumentations.albumentations_helpers"]
    photo = PIL.Image.new("RGB", (160, 120))
    assert module.get_size_without_padding(transforms, photo, 64, 64) == (48, 64)
