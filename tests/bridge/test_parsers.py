"""IceVision's parsers read back what was drawn: boxes, labels, masks to the pixel, key points."""

import json

import numpy as np
import pytest
from PIL import Image

from icevision_bridge.errors import BridgeError

WIDTH, HEIGHT = 100, 80
# Upright rectangles (class, xmin, ymin, xmax, ymax) on each photo.
SHAPES = {
    "one": [("cell", 10, 20, 30, 50), ("dust", 60, 5, 90, 25)],
    "two": [("cell", 40, 40, 80, 70)],
}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, shapes in SHAPES.items():
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for _, xmin, ymin, xmax, ymax in shapes:
            pixels[ymin:ymax, xmin:xmax] = 255
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def _drawn(*shape):
    _, xmin, ymin, xmax, ymax = shape
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[ymin:ymax, xmin:xmax] = 1
    return mask


def _corners(_, xmin, ymin, xmax, ymax):
    return [xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax]


def _counts(mask):
    """COCO's run lengths: of zeros and ones in turn, column by column, zeros first."""
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    return [0, *runs] if flat[0] else runs


def _parsed(parser, icevision):
    (records,) = parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)
    return {record.filepath.stem: record for record in records}


def _assert_boxes(records, shapes=SHAPES):
    assert set(records) == set(shapes)
    for name, record in records.items():
        assert (record.width, record.height) == (WIDTH, HEIGHT)
        found = [
            (label, *box.xyxy)
            for label, box in zip(record.detection.labels, record.detection.bboxes, strict=True)
        ]
        assert found == shapes[name]


def _assert_masks(icevision, records):
    """The masks of the loaded records, also after a flip, are those that were drawn."""
    import albumentations

    for flip in (False, True):
        steps = [albumentations.HorizontalFlip(p=1)] if flip else []
        for record in icevision.Dataset(
            list(records.values()), icevision.tfms.A.Adapter(steps) if flip else None
        ):
            expected = np.stack([_drawn(*shape) for shape in SHAPES[record.filepath.stem]])
            expected = expected[..., ::-1] if flip else expected
            np.testing.assert_array_equal(record.detection.mask_array.data, expected)


def _coco(**extra):
    """SHAPES as COCO's JSON has them; ``extra`` makes further fields from a shape."""
    numbers = {"cell": 3, "dust": 7}  # not in a row, as COCO's own
    annotations = []
    for image, shapes in enumerate(SHAPES.values(), start=1):
        for shape in shapes:
            name, xmin, ymin, xmax, ymax = shape
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": numbers[name],
                    "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                    "area": (xmax - xmin) * (ymax - ymin),
                    "iscrowd": 0,
                    **{key: make(shape) for key, make in extra.items()},
                }
            )
    return {
        "images": [
            {"id": number, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
            for number, name in enumerate(SHAPES, start=1)
        ],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": annotations,
    }


def test_coco_boxes(icevision, photos, tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(_coco()))
    parser = icevision.parsers.COCOBBoxParser(tmp_path / "labels.json", photos)
    records = _parsed(parser, icevision)
    _assert_boxes(records)
    assert records["one"].detection.label_ids == [3, 7]
    assert records["one"].detection.areas == [600, 600]


def test_coco_polygons(icevision, photos):
    labels = _coco(segmentation=lambda shape: [_corners(*shape)])
    records = _parsed(icevision.parsers.COCOMaskParser(labels, photos), icevision)
    _assert_boxes(records)
    _assert_masks(icevision, records)


def test_coco_run_lengths(icevision, photos):
    labels = _coco(
        segmentation=lambda shape: {"counts": _counts(_drawn(*shape)), "size": [HEIGHT, WIDTH]},
        iscrowd=lambda shape: 1,
    )
    records = _parsed(icevision.parsers.COCOMaskParser(labels, photos), icevision)
    _assert_masks(icevision, records)
    assert records["two"].detection.iscrowds == [1]


def _points(_, xmin, ymin, xmax, ymax):
    """COCO's 17 points of a body: two at the upper corners, visible and hidden, others absent."""
    return [xmin, ymin, 2, xmax - 1, ymin, 1, *[0, 0, 0] * 15]


def test_coco_key_points(icevision, photos):
    import albumentations

    labels = _coco(keypoints=lambda shape: _points(*shape), num_keypoints=lambda shape: 2)
    labels["annotations"][1]["keypoints"] = [0] * 51  # the speck of dust has none, and is left out
    parser = icevision.parsers.COCOKeyPointsParser(labels, photos)
    records = _parsed(parser, icevision)
    kept = {"one": SHAPES["one"][:1], "two": SHAPES["two"]}
    _assert_boxes(records, kept)
    for name, record in records.items():
        (points,) = record.detection.keypoints
        assert points.keypoints.tolist() == _points(*kept[name][0])
        assert points.n_visible_keypoints == 2
        assert points.metadata is icevision.parsers.COCOKeypointsMetadata

    # Padding to a square first: IceVision looks for points within a padded square only.
    square = albumentations.PadIfNeeded(WIDTH, WIDTH, border_mode=0)
    steps = icevision.tfms.A.Adapter([square, albumentations.HorizontalFlip(p=1)])
    for record in icevision.Dataset(list(records.values()), steps):
        _, xmin, ymin, xmax, _ = kept[record.filepath.stem][0]
        top = (WIDTH - HEIGHT) // 2
        (points,) = record.detection.keypoints
        expected = [WIDTH - 1 - xmin, ymin + top, 2, WIDTH - xmax, ymin + top, 1]
        assert points.keypoints.tolist()[:6] == expected
        assert points.keypoints.tolist()[6:] == [0] * 45


def _via():
    """The first shape of a photo as a rectangle, others as polygons, and one to pass over."""
    labels = {}
    for name, shapes in SHAPES.items():
        regions = []
        for kind, xmin, ymin, xmax, ymax in [*shapes, ("scratch", 0, 0, 9, 9)]:
            if regions:
                place = {
                    "name": "polygon",
                    "all_points_x": [xmin, xmax, xmax, xmin],
                    "all_points_y": [ymin, ymin, ymax, ymax],
                }
            else:
                size = {"width": xmax - xmin, "height": ymax - ymin}
                place = {"name": "rect", "x": xmin, "y": ymin, **size}
            regions.append({"shape_attributes": place, "region_attributes": {"kind": kind}})
        labels[f"{name}.png1234"] = {"filename": f"{name}.png", "size": 1234, "regions": regions}
    return labels


def test_via_boxes(icevision, photos, tmp_path):
    (tmp_path / "via.json").write_text(json.dumps(_via()))
    class_map = icevision.ClassMap(["cell", "dust"])
    parser = icevision.parsers.VIABBoxParser(tmp_path / "via.json", photos, class_map, "kind")
    _assert_boxes(_parsed(parser, icevision))


def test_via_labels_without_the_field_are_refused(icevision, photos):
    parser = icevision.parsers.VIABBoxParser(_via(), photos, icevision.ClassMap(["cell"]))
    with pytest.raises(icevision.parsers.VIAParseError, match="label"):
        parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)


@pytest.fixture
def voc(photos, tmp_path):
    folder = tmp_path / "xml"
    folder.mkdir()
    for name, shapes in SHAPES.items():
        objects = "".join(
            f"<object><name>{kind}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
            f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
            for kind, xmin, ymin, xmax, ymax in shapes
        )
        (folder / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.png</filename><size><width>{WIDTH}</width>"
            f"<height>{HEIGHT}</height><depth>3</depth></size>{objects}</annotation>"
        )
    return folder


def _voc_masks(folder, void):
    """Palette pictures as VOC has them: object k in colour k, and 255 along borders if ``void``."""
    folder.mkdir()
    for name, shapes in SHAPES.items():
        pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, shape in enumerate(shapes, start=1):
            pixels[_drawn(*shape) == 1] = number
        if void:
            pixels[0] = 255
        picture = Image.fromarray(pixels, mode="L").convert("P")
        picture.putdata(pixels.flatten().tolist())
        picture.save(folder / f"{name}.png")
    return folder


def test_voc_boxes(icevision, photos, voc):
    records = _parsed(icevision.parsers.VOCBBoxParser(voc, photos), icevision)
    _assert_boxes(records)
    assert records["one"].detection.class_map.get_classes() == ["background", "cell", "dust"]


@pytest.mark.parametrize("void", [True, False])
def test_voc_masks(void, icevision, photos, voc, tmp_path):
    masks = _voc_masks(tmp_path / "masks", void)
    records = _parsed(icevision.parsers.VOCMaskParser(voc, photos, masks), icevision)
    _assert_boxes(records)
    _assert_masks(icevision, records)


def test_voc_masks_take_the_photos_that_have_one(icevision, photos, voc, tmp_path):
    masks = _voc_masks(tmp_path / "masks", True)
    (masks / "two.png").unlink()
    records = _parsed(icevision.parsers.VOCMaskParser(voc, photos, masks), icevision)
    _assert_boxes(records, {"one": SHAPES["one"]})


def test_damaged_xml_is_named_for_masks_too(icevision, photos, voc, tmp_path):
    masks = _voc_masks(tmp_path / "masks", True)
    (voc / "two.xml").write_text("<annotation><filename>two.png")
    with pytest.raises(BridgeError, match=r"two\.xml cannot be read"):
        icevision.parsers.VOCMaskParser(voc, photos, masks)
