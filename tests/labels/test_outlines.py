"""Outlines stay beside the boxes that are their bounds, through every program that has them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import roifile
import shapely
from matplotlib.path import Path as Drawn
from pycocotools.coco import COCO
from scipy import ndimage

from cellcount.labels import outlines, voc
from cellcount.labels.exchange import export_labels, import_labels
from cellcount.labels.formats.masks import cells
from cellcount.labels.formats.tracing import traced
from cellcount.labels.mending import mend
from tests.labels.formats.samples import SIZE, photo, put

RING = ((10.25, 20.0), (30.0, 25.5), (15.0, 40.125), (12.5, 33.0))
ISLAND = ((50.0, 5.0), (60.0, 5.5), (55.0, 9.0))
BOX = voc.Box("yeast", 10, 20, 30, 40, outline=(RING,))
TWO = voc.Box("bud", 10, 5, 60, 40, outline=(RING, ISLAND))
PLAIN = voc.Box("yeast", 100, 50, 120, 70)


def label(folder, *boxes):
    photo(folder)
    voc.write(folder / "a.xml", voc.Annotation("a.png", *SIZE, boxes))
    return folder


def kept(folder):
    return [box.outline for box in voc.read(folder / "a.xml").boxes]


def brought(folder, **more):
    import_labels(folder, folder.parent / "to", **more)
    return kept(folder.parent / "to")


def flat(ring):
    return [number for point in ring for number in point]


def coco(folder):
    shared = {"image_id": 1, "category_id": 1}
    one = shared | {"id": 1, "segmentation": [flat(RING)], "bbox": [10.25, 20, 19.75, 20.125]}
    two = shared | {"id": 2, "segmentation": [flat(RING), flat(ISLAND)]}
    square = shared | {"id": 3, "segmentation": [[1, 2, 8, 2, 8, 9, 1, 9]], "bbox": [1, 2, 7, 7]}
    content = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "x"}]}
    put(folder, "a.json", content | {"annotations": [one, two, square]})


def qupath(folder):
    shapes = [
        shapely.Polygon(RING, [[(14, 30), (15, 30), (15, 31)]]),  # with a hole
        shapely.MultiPolygon([shapely.Polygon(RING), shapely.Polygon(ISLAND)]),
        shapely.box(1, 2, 8, 9),
    ]
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(one), "properties": {}}
        for one in shapes
    ]
    put(folder, "a.geojson", {"type": "FeatureCollection", "features": features})


def test_several_rings_come_in(tmp_path):
    for make in (coco, qupath):
        photo(tmp_path / make.__name__ / "in")
        make(tmp_path / make.__name__ / "in")
        found = brought(tmp_path / make.__name__ / "in")
        assert found == [(RING,), (RING, ISLAND), ()]  # a square says no more than its box


def labelme(folder):
    shape = {"label": "x", "points": RING, "shape_type": "polygon"}
    put(folder, "a.json", {"shapes": [shape], "imagePath": "a.png"})


def via(folder):
    x, y = zip(*RING, strict=True)
    shape = {"name": "polygon", "all_points_x": x, "all_points_y": y}
    entry = {"filename": "a.png", "regions": [{"shape_attributes": shape}]}
    put(folder, "via.json", {"a.png1": entry})


def label_studio(folder):
    points = [[100 * x / SIZE[0], 100 * y / SIZE[1]] for x, y in RING]
    size = {"original_width": SIZE[0], "original_height": SIZE[1]}
    result = [size | {"type": "polygonlabels", "value": {"points": points}}]
    done = {"result": result, "was_cancelled": False}
    put(folder, "p.json", [{"id": 1, "data": {"image": "a.png"}, "annotations": [done]}])


def cvat(folder):
    points = ";".join(f"{x},{y}" for x, y in RING)
    shape = f'<polygon label="x" points="{points}"/>'
    image = f'<image name="a.png" width="200" height="100">{shape}</image>'
    put(folder, "annotations.xml", f"<annotations>{image}</annotations>")


def yolo(folder):
    shares = " ".join(f"{x / SIZE[0]} {y / SIZE[1]}" for x, y in RING)
    put(folder, "a.txt", f"0 {shares}\n")
    put(folder, "classes.txt", "x\n")


def imagej(folder):
    roifile.ImagejRoi.frompoints(np.array(RING)).tofile(folder / "a.roi")


def roboflow(folder):
    points = "".join(f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(RING, 1))
    sides = "<xmin>10</xmin><xmax>30</xmax><ymin>20</ymin><ymax>41</ymax>"
    inside = f"<name>x</name><bndbox>{sides}</bndbox><polygon>{points}</polygon>"
    size = "<size><width>200</width><height>100</height></size><filename>a.png</filename>"
    put(folder, "a.xml", f"<annotation>{size}<object>{inside}</object></annotation>")


@pytest.mark.parametrize(
    "make", [labelme, via, label_studio, cvat, yolo, imagej, roboflow], ids=lambda one: one.__name__
)
def test_a_ring_comes_in(tmp_path, make):
    photo(tmp_path / "in")
    make(tmp_path / "in")
    ((ring,),) = brought(tmp_path / "in")
    assert np.allclose(ring, RING, rtol=0, atol=1e-9)


@pytest.mark.parametrize("format", ["voc", "coco", "qupath", "labelme", "imagej"])
def test_out_and_in_again_is_the_same(tmp_path, format):
    boxes = (BOX, PLAIN) if format in ("labelme", "imagej") else (BOX, TWO, PLAIN)
    export_labels(label(tmp_path / "mine", *boxes), tmp_path / "out", format)
    assert brought(tmp_path / "out") == [box.outline for box in boxes]
    assert voc.read(tmp_path / "to" / "a.xml").boxes == boxes


@pytest.mark.parametrize("format", ["labelme", "imagej"])
def test_several_parts_go_out_as_their_box_where_a_program_has_one_ring(tmp_path, format):
    export_labels(label(tmp_path / "mine", TWO), tmp_path / "out", format)
    assert brought(tmp_path / "out") == [()]
    assert voc.read(tmp_path / "to" / "a.xml").boxes == (TWO,)


def test_other_programs_see_the_outline(tmp_path):
    folder = label(tmp_path / "mine", BOX, PLAIN)
    for format in ("coco", "qupath", "imagej"):
        export_labels(folder, tmp_path / format, format)
    area = shapely.Polygon(RING).area
    data = COCO(tmp_path / "coco" / "annotations" / "instances_default.json")
    assert data.anns[1]["area"] == pytest.approx(area) == outlines.area_of(RING)
    assert data.annToMask(data.anns[1]).sum() == pytest.approx(area, rel=0.1)
    features = json.loads((tmp_path / "qupath" / "a.geojson").read_text())["features"]
    assert shapely.geometry.shape(features[0]["geometry"]).equals(shapely.Polygon(RING))
    first, second = roifile.roiread(tmp_path / "imagej" / "a.zip")
    assert np.allclose(first.coordinates(), RING)
    assert (first.roitype, second.roitype) == (roifile.ROI_TYPE.POLYGON, roifile.ROI_TYPE.RECT)


def test_an_outline_that_no_longer_fits_its_box_is_not_used(tmp_path):
    folder = label(tmp_path, BOX, PLAIN)
    text = (folder / "a.xml").read_text()
    (folder / "a.xml").write_text(text.replace("<xmax>30</xmax>", "<xmax>35</xmax>"))
    assert kept(folder) == [(), ()]
    (folder / "a.xml").write_text(text.replace("<xmax>30</xmax>", "<xmax>31</xmax>"))
    assert kept(folder) == [(RING,), ()]  # which is how another program would round it
    for bad in ("x", "nan", "1e400"):
        (folder / "a.xml").write_text(text.replace("<x3>15</x3>", f"<x3>{bad}</x3>"))
        assert kept(folder) == [(), ()]
    assert replace(BOX, xmax=35).fitting == ()


def test_writing_boxes_anew_keeps_the_outlines_of_those_that_stayed(tmp_path):
    folder = label(tmp_path, TWO, BOX)
    bare = [replace(box, outline=()) for box in (PLAIN, BOX, TWO)]
    moved = replace(bare[2], ymin=3)
    voc.write(folder / "a.xml", voc.Annotation("a.png", *SIZE, (*bare[:2], moved)))
    assert kept(folder) == [(), (RING,), ()]


def test_mending_keeps_outlines(tmp_path):
    """A box that stuck out is cut, and then its outline is not the cell's any more."""
    out = voc.Box("yeast", -5, 50, 20, 70, outline=(((-5.0, 50.0), (20.0, 60.0), (0.0, 70.0)),))
    folder = label(tmp_path, BOX, out)
    assert any("stuck out" in said for said in mend(folder))
    assert kept(folder) == [(RING,), ()]


def test_what_lies_in_the_outline_of_a_mask_is_the_mask():
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = rng.random((9, 12)) < rng.uniform(0.1, 0.9)
        rings = traced(mask, 3, 4)
        y, x = np.mgrid[:9, :12]
        middles = np.column_stack([x.ravel() + 3.5, y.ravel() + 4.5])
        inside = sum(Drawn([*ring, ring[0]]).contains_points(middles) for ring in rings)
        assert (inside.reshape(mask.shape) == ndimage.binary_fill_holes(mask)).all()


def test_a_label_image_and_a_painted_cell_have_outlines(tmp_path):
    numbers = np.zeros((100, 200), np.uint8)
    numbers[10:20, 30:50] = 1
    numbers[15:20, 40:50] = 0
    (cell,) = cells(numbers, split=False)
    assert {*cell.outline[0]} == {(30, 10), (50, 10), (50, 15), (40, 15), (40, 20), (30, 20)}
    assert cells(numbers, split=True)[0].outline == cell.outline
    photo(tmp_path / "in")
    mask = '<mask label="x" rle="1, 3, 2, 4" left="30" top="10" width="5" height="2"/>'
    image = f'<image name="a.png" width="200" height="100">{mask}</image>'
    put(tmp_path / "in", "annotations.xml", f"<annotations>{image}</annotations>")
    ((ring,),) = brought(tmp_path / "in")
    assert shapely.Polygon(ring).area == 7
    assert outlines.bounds_of((ring,)) == (31, 10, 35, 12)
