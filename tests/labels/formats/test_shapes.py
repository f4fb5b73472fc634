"""What people draw beside boxes: each shape's bounds, worked out by hand."""

import base64

import numpy as np
import pytest
import roifile
from pycocotools import mask as rle

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.exchange import import_labels
from cellcount.labels.formats import shapes
from tests.labels.formats.samples import photo, put

SIZE = WIDTH, HEIGHT = 400, 300


@pytest.fixture
def inside(tmp_path):
    photo(tmp_path / "in", size=SIZE)
    return tmp_path / "in"


def corners(source, **more):
    to = (source if source.is_dir() else source.parent).parent / "to"
    import_labels(source, to, **more)
    return [(b.label, b.xmin, b.ymin, b.xmax, b.ymax) for b in voc.read(to / "a.xml").boxes]


def refused(folder, says, **more):
    with pytest.raises(CellCountError, match=says) as error:
        import_labels(folder, folder.parent / "to", **more)
    assert not (folder.parent / "to").exists()
    assert "label" not in str(error.value).partition("again")[2], "a file can be mended"


def test_a_turned_ellipse_agrees_with_many_points_on_it():
    angles = np.linspace(0, 2 * np.pi, 100_001)
    points = np.stack([30 * np.cos(angles), 10 * np.sin(angles)], 1)
    turned = np.array([shapes.turn((x, y), (0, 0), 35) for x, y in points[::10]])
    found = shapes.ellipse("", (0, 0), (30, 10), "it", 35)
    expected = [*turned.min(0), *turned.max(0)]
    np.testing.assert_allclose(found[1:5], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("rotation", "box"),
    [
        (90, (140, 160, 160, 260)),
        (270, (140, 160, 160, 260)),
        (180, (100, 200, 200, 220)),
        (0, (100, 200, 200, 220)),
        # 45 degrees: (100 + 20) / sqrt(8) = 42.4 to each side of (150, 210)
        (45, (108, 168, 192, 252)),
    ],
)
def test_cocos_boxes_are_turned_as_cvat_says(inside, rotation, box):
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [100, 200, 100, 20]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [entry | {"attributes": {"occluded": False, "rotation": rotation}}],
    }
    put(inside, "instances_default.json", content)
    assert corners(inside) == [("cell", *box)]


def test_coco_without_bbox_has_its_outline(inside):
    entry = {"id": 1, "image_id": 1, "category_id": 1}
    outline = {"segmentation": [[10, 20, 30, 25, 15, 40], [50, 5, 60, 5, 55, 9]]}
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],  # no size either
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [entry | outline],
    }
    put(inside, "a.json", content)
    assert corners(inside) == [("cell", 10, 5, 60, 40)]


def test_yolos_outlines(inside):
    put(inside, "a.txt", "0 .1 .1 .2 .15 .1 .2\n0 .5 .5 .75 .5 .75 .6 .5 .6\n")
    put(inside, "classes.txt", "cell\n")
    assert corners(inside) == [("cell", 40, 30, 80, 60), ("cell", 200, 150, 300, 180)]


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><labels><label><name>cell</name></label></labels></task></meta>
  <image id="0" name="deep/a.png" width="400" height="300">
    <tag label="sharp" source="manual"/>
    <box label="cell" source="manual" occluded="0" xtl="100.00" ytl="200.00" xbr="200.00"
         ybr="220.00" rotation="90.00" z_order="0">
      <attribute name="difficult">true</attribute>
    </box>
    <polygon label="cell" points="10.00,20.00;30.00,25.00;15.00,40.00" z_order="0"/>
    <ellipse label="cell" cx="100.00" cy="50.00" rx="30.00" ry="10.00" rotation="90.00"/>
    <mask label="cell" rle="3, 2, 5" left="7" top="8" width="5" height="2" z_order="0"/>
    <points label="cell" points="50.00,60.00;70.00,60.00" z_order="0"/>
  </image>
</annotations>
"""


def test_cvats_shapes(inside):
    path = put(inside, "annotations.xml", CVAT)
    refused(inside, "marks cells by points: .*--diameter")
    found = corners(path, diameter=10)  # of the file alone, whose photo lies beside it
    assert [one[1:] for one in found] == [
        (140, 160, 160, 260),
        (10, 20, 30, 40),
        (90, 20, 110, 80),
        (7, 8, 12, 10),
        (45, 55, 55, 65),
        (65, 55, 75, 65),
    ]
    marks = voc.read(inside.parent / "to" / "a.xml").boxes
    assert [box.difficult for box in marks] == [True] + [False] * 5


def test_cvats_lines_are_no_cells(inside):
    line = '<polyline label="cell" points="1,1;5,5"/></image>'
    put(inside, "annotations.xml", CVAT.replace("</image>", line))
    refused(inside, "shape 7 of deep/a.png is a polyline.*delete it", diameter=10)


def labelme(folder, *entries):
    content = {"version": "5.4.1", "flags": {}, "imagePath": "a.png", "imageData": None}
    shapes = [{"label": "cell", "group_id": None, "flags": {}} | entry for entry in entries]
    put(folder, "a.json", content | {"shapes": shapes, "imageHeight": 300, "imageWidth": 400})


def test_labelmes_shapes(inside):
    labelme(
        inside,
        {"shape_type": "circle", "points": [[100, 50], [103, 54]]},
        {
            "shape_type": "mask",
            "points": [[7, 8], [11, 9]],
            "mask": base64.b64encode(b"x").decode(),
        },
        {"shape_type": "point", "points": [[50, 60]]},
        {"points": [[10, 20], [30, 25], [15, 40]]},
    )
    assert [one[1:] for one in corners(inside, diameter=10)] == [
        (95, 45, 105, 55),
        (7, 8, 12, 10),
        (45, 55, 55, 65),
        (10, 20, 30, 40),
    ]
    labelme(inside, {"shape_type": "linestrip", "points": [[1, 1], [2, 2]]})
    with pytest.raises(CellCountError, match=r"shape 1 is a linestrip"):
        import_labels(inside, inside.parent / "other")


def test_vias_shapes_and_first_version(inside):
    some = [
        {"name": "circle", "cx": 100, "cy": 50, "r": 5},
        {"name": "ellipse", "cx": 100, "cy": 50, "rx": 30, "ry": 10, "theta": 1.5707963267948966},
        {"name": "polygon", "all_points_x": [10, 30, 15], "all_points_y": [20, 25, 40]},
        {"name": "point", "cx": 50, "cy": 60},
    ]
    attributes = [{"type": "yeast"}, {"kind": "bud"}, {"name": {"dead": False, "alive": True}}, {}]
    regions = {
        str(i): {"shape_attributes": shape, "region_attributes": said}
        for i, (shape, said) in enumerate(zip(some, attributes, strict=True))
    }
    entry = {"fileref": "", "size": 9, "filename": "a.png", "base64_img_data": ""}
    put(inside, "via.json", {"a.png9": entry | {"file_attributes": {}, "regions": regions}})
    assert corners(inside, diameter=10, label="cell") == [
        ("yeast", 95, 45, 105, 55),
        ("bud", 90, 20, 110, 80),
        ("alive", 10, 20, 30, 40),
        ("cell", 45, 55, 55, 65),
    ]


def task(*results, **more):
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    done = {"id": 1, "result": [one | size for one in results], "was_cancelled": False}
    return {"id": 3, "data": {"image": "a.png"}, "annotations": [done | more]}


def test_label_studios_shapes(inside):
    turned = {"x": 25, "y": 50, "width": 25, "height": 10, "rotation": 90}
    results = [
        {"type": "rectanglelabels", "value": turned | {"rectanglelabels": ["long"]}},
        {"type": "rectangle", "value": turned | {"rotation": 0}},
        {
            "type": "polygonlabels",
            "value": {"points": [[2.5, 10], [7.5, 12], [5, 20]], "polygonlabels": ["cell"]},
        },
        {
            "type": "ellipselabels",
            "value": {"x": 25, "y": 20, "radiusX": 5, "radiusY": 10, "ellipselabels": ["cell"]},
        },
        {
            "type": "keypointlabels",
            "value": {"x": 12.5, "y": 20, "width": 2, "height": 2, "keypointlabels": ["cell"]},
        },
    ]
    put(inside, "p.json", [task(*results)])
    assert corners(inside, diameter=10) == [
        # 100 to the right of (100, 150) and 30 down, turned about that corner: left of it
        ("long", 70, 150, 100, 250),
        ("cell", 100, 150, 200, 180),
        ("cell", 10, 30, 30, 60),
        ("cell", 80, 30, 120, 90),
        ("cell", 45, 55, 55, 65),
    ]


def test_label_studio_leaves_open_and_doubtful_tasks_out_and_says_so(inside, capsys):
    for number, name in enumerate("bcde", start=1):
        photo(inside, f"{name}.png", SIZE, seed=number)
    value = {"x": 10, "y": 10, "width": 10, "height": 10, "rotation": 0}
    one = {"type": "rectanglelabels", "value": value}
    skipped = task(was_cancelled=True) | {"data": {"image": "b.png"}}
    open_ = {"data": {"image": "c.png"}, "annotations": []}
    twice = task(one) | {"data": {"image": "d.png"}}
    twice["annotations"] *= 2
    judged = task(one) | {"data": {"image": "e"}}  # as an upload without suffix
    judged["annotations"] = task()["annotations"] + task(one, ground_truth=True)["annotations"]
    put(inside, "p.json", [task(), skipped, open_, twice, judged])
    assert corners(inside) == []
    assert len(voc.read(inside.parent / "to" / "e.xml").boxes) == 1
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"{name}.png is left out" for name in "bcd"
    ]
    assert "nobody has labelled it, or several have" in said


def test_label_studios_brush_and_turned_photo(inside):
    brush = {"format": "rle", "rle": [0, 1], "brushlabels": ["cell"]}
    put(inside, "p.json", [task({"type": "brushlabels", "value": brush})])
    refused(inside, r"region 1 of a\.png was painted.*export it as COCO")
    turned = task({"type": "rectangle", "value": {"x": 1, "y": 1, "width": 9, "height": 9}})
    turned["annotations"][0]["result"][0]["image_rotation"] = 90
    put(inside, "p.json", [turned])
    refused(inside, r"a\.png was turned while it was labelled")


def feature(kind, coordinates, **properties):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_qupaths_cells_lie_in_annotations(inside):
    tissue = feature("Polygon", [[[0, 0], [400, 0], [400, 300], [0, 0]]], objectType="annotation")
    two = [[[[10, 20], [30, 25], [15, 40], [10, 20]]], [[[50, 5], [60, 5], [55, 9], [50, 5]]]]
    names = {"names": ["Tumor", "Positive"], "color": [1, 2, 3]}
    cell = feature("MultiPolygon", two, objectType="cell", classification=names)
    cell["nucleusGeometry"] = {"type": "Polygon", "coordinates": [[[20, 25], [22, 25], [21, 27]]]}
    put(inside, "a.geojson", {"type": "FeatureCollection", "features": [tissue, cell]})
    assert corners(inside) == [("Tumor: Positive", 10, 5, 60, 40)]


def test_qupaths_points_and_older_layout(inside):
    points = feature("MultiPoint", [[50, 60], [70.5, 60.5]], classification={"name": "Bud"})
    old = feature("Polygon", [[[1, 2], [5, 2], [5, 9.6]]], isLocked=False)
    put(inside, "a.json", [points, old | {"id": "PathAnnotationObject"}])
    assert corners(inside, diameter=9) == [
        ("Bud", 46, 56, 54, 64),  # halves go to the even number
        ("Bud", 66, 56, 75, 65),
        ("cell", 1, 2, 5, 10),
    ]


def test_qupaths_lines_are_no_cells(inside):
    put(inside, "a.geojson", feature("LineString", [[1, 1], [5, 5]], objectType="annotation"))
    refused(inside, "object 1 is a LineString.*delete it")


def save(folder, *rois, name="RoiSet.zip"):
    roifile.roiwrite(folder / name, rois, name=[f"{i}.roi" for i in range(len(rois))], mode="w")


def test_imagejs_points_outlines_and_groups(inside):
    points = roifile.ImagejRoi.frompoints(np.array([[50.0, 60.0], [70.0, 60.0]]))
    points.roitype = roifile.ROI_TYPE.POINT
    outline = roifile.ImagejRoi.frompoints(np.array([[10.2, 20.4], [29.6, 25.0], [15.0, 40.4]]))
    group = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT, version=228, name="0012-0034", group=3, right=9, bottom=8
    )
    save(inside, points, outline, group, name="a.zip")
    assert corners(inside, diameter=10) == [
        ("cell", 45, 55, 55, 65),
        ("cell", 65, 55, 75, 65),
        ("cell", 10, 20, 30, 40),
        ("group 3", 0, 0, 9, 8),
    ]


def test_imagejs_zip_alone_finds_the_photo_beside_it(inside):
    region = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, version=227, right=9, bottom=8)
    save(inside, region, name="a_rois.zip")
    assert corners(inside / "a_rois.zip") == [("cell", 0, 0, 9, 8)]


def test_imagejs_lines_and_slices_are_refused(inside):
    save(inside, roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, version=227, name="axis"))
    refused(inside, "region axis is a line.*delete it")
    (inside / "RoiSet.zip").unlink()
    slices = [
        roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, version=227, position=z, right=9, bottom=8)
        for z in (1, 2)
    ]
    save(inside, *slices)
    refused(inside, "regions of several slices")


def test_imagejs_regions_of_no_photo_in_particular(inside):
    photo(inside, "b.png", SIZE, seed=1)
    save(inside, roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, version=227, right=9, bottom=8))
    refused(inside, r"RoiSet\.zip does not say which photo it labels: give it the photo's name")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Results.csv", " ,Area,Mean,X,Y\n1,0,12.5,50,60\n2,0,11.1,70,60\n"),
        ("Results.xls", " \tX\tY\tSlice\n1\t50\t60\t1\n2\t70\t60\t1\n"),
        ("Results.csv", " ;X;Y\n1;50,2;60\n2;70,1;59,9\n"),
        ("all.csv", " ,Label,X,Y\n1,a.png:1,50,60\n2,a.png:2,70,60\n"),
        ("points.csv", "index,axis-0,axis-1\n0.0,60.0,50.0\n1.0,60.0,70.0\n"),
        ("a.csv", "\ufeffx,y\r\n50,60\r\n70,60\r\n"),
    ],
)
def test_tables_of_points(inside, name, text):
    put(inside, name, text)
    found = corners(inside, diameter=10)
    assert found == [("cell", 45, 55, 55, 65), ("cell", 65, 55, 75, 65)]


def test_a_table_of_points_with_photos_and_classes(inside):
    photo(inside, "b.png", SIZE, seed=1)
    put(inside, "all.csv", "image,x,y,class\na.png,50,60,bud\nb.png,70,60,\n")
    assert corners(inside, diameter=10) == [("bud", 45, 55, 55, 65)]
    (box,) = voc.read(inside.parent / "to" / "b.xml").boxes
    assert box == voc.Box("cell", 65, 55, 75, 65)


@pytest.mark.parametrize(
    "text",
    [
        "xmin,ymin,xmax,ymax,label\n10,20,40,50,bud\n",
        "image,label,xmin,ymin,xmax,ymax\nfolder/a.png,bud,10.2,19.8,40,50\n",
    ],
)
def test_other_tables_of_boxes(inside, text):
    put(inside, "boxes.csv", text)
    assert corners(inside) == [("bud", 10, 20, 40, 50)]


def test_a_table_with_a_word_for_a_number(inside):
    put(inside, "a.csv", "x,y\n50,60\n70,many\n")
    refused(inside, r'a\.csv is no complete CSV file \(line 3 has "70, many"', diameter=10)


def test_pycocotools_agrees_on_the_bounds_of_an_outline(inside):
    ring = [10.0, 20.0, 90.0, 20.0, 90.0, 70.0, 10.0, 70.0]
    x, y, width, height = rle.toBbox(rle.merge(rle.frPyObjects([ring], HEIGHT, WIDTH)))
    (_, *found) = shapes.bounds("", zip(ring[::2], ring[1::2], strict=True), "it")[:5]
    assert found == [x, y, x + width, y + height]
