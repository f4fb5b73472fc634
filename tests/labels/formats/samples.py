"""The same three cells of one photo as other programs keep them.

Files come from the libraries of other programs where there are some, else they are laid out as the
format's documentation has it. None comes from our own writers.
"""

import csv
import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location

import cv2
import numpy as np
import pandas as pd
import roifile
import shapely
import tifffile
from labelformat.formats import (
    COCOObjectDetectionOutput,
    CVATObjectDetectionOutput,
    YOLOv8ObjectDetectionOutput,
)
from labelformat.model import bounding_box, category, image, object_detection
from PIL import Image

from cellcount.labels import voc

SIZE = WIDTH, HEIGHT = 200, 100
CELLS = (
    voc.Box("red cell", 10, 20, 40, 50),
    voc.Box("white-2", 0, 0, 7, 9),
    voc.Box("red cell", 151, 61, 200, 100),
)
CORNERS = [(b.label, b.xmin, b.ymin, b.xmax, b.ymax) for b in CELLS]


def photo(folder, name="a.png", size=SIZE, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


_KINDS = {name: category.Category(i, name) for i, name in enumerate(("red cell", "white-2"))}


class Labels(object_detection.ObjectDetectionInput):
    """The cells as labelformat has them."""

    photo = image.Image(0, "a.png", *SIZE)

    def add_cli_arguments(parser):
        raise NotImplementedError

    def get_categories(self):
        return _KINDS.values()

    def get_images(self):
        return [self.photo]

    def get_labels(self):
        objects = [
            object_detection.SingleObjectDetection(_KINDS[n], bounding_box.BoundingBox(*c))
            for n, *c in CORNERS
        ]
        return [object_detection.ImageObjectDetection(self.photo, objects)]


def coco(folder):
    COCOObjectDetectionOutput(folder / "coco.json").save(Labels())


def yolo(folder):
    YOLOv8ObjectDetectionOutput(folder / "data.yaml", "train").save(Labels())


def cvat(folder):
    CVATObjectDetectionOutput(folder).save(Labels())


def pascal_voc(folder):
    """By labelImg as it is: loaded beside the module of that name, which other tests mend."""
    spec = spec_from_file_location("as_it_is", find_spec("libs.pascal_voc_io").origin)
    labelimg = module_from_spec(spec)
    spec.loader.exec_module(labelimg)
    writer = labelimg.PascalVocWriter("in", "a.png", (HEIGHT, WIDTH, 3))
    for label, *corners in CORNERS:
        writer.add_bnd_box(*corners, label, 0)
    writer.save(str(folder / "a.xml"))


def csv_of_roboflow(folder):
    columns = ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    rows = [("a.png", *SIZE, *one) for one in CORNERS]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "_annotations.csv", index=False)


def _regions():
    """A rectangle, a circle and a freehand outline, as ImageJ draws them."""
    rois = []
    for number, (label, *corners) in enumerate(CORNERS):
        kind = (roifile.ROI_TYPE.RECT, roifile.ROI_TYPE.OVAL, roifile.ROI_TYPE.FREEHAND)[number]
        roi = roifile.ImagejRoi(roitype=kind, version=227, name=f"{label}-{number + 1}")
        roi.left, roi.top, roi.right, roi.bottom = corners
        if kind == roifile.ROI_TYPE.FREEHAND:
            width, height = roi.right - roi.left, roi.bottom - roi.top
            points = [[0, 5], [9, 0], [width, 9], [20, height]]
            roi.integer_coordinates, roi.n_coordinates = np.array(points), 4
        rois.append(roi)
    return rois


def imagej_zip(folder):
    roifile.roiwrite(folder / "RoiSet.zip", _regions())


def imagej_files(folder):
    for number, roi in enumerate(_regions()):
        roi.tofile(folder / f"a-{number}.roi")


def qupath(folder):
    features = [
        {
            "type": "Feature",
            "id": f"{number:08}-0000-4000-8000-000000000000",
            "geometry": shapely.geometry.mapping(shapely.box(*corners)),
            "properties": {
                "objectType": "annotation",
                "classification": {"name": label, "color": [200, 0, 0]},
            },
        }
        for number, (label, *corners) in enumerate(CORNERS)
    ]
    put(folder, "a.geojson", {"type": "FeatureCollection", "features": features})


def labelme(folder):
    shapes = []
    for number, (label, left, top, right, bottom) in enumerate(CORNERS):
        polygon = [[left, top], [right, top + 1.0], [right - 1.0, bottom]]
        rectangle = [[right, bottom], [left, top]]
        shape = {"label": label, "group_id": None, "description": "", "flags": {}, "mask": None}
        kind = "polygon" if number else "rectangle"
        shapes.append({**shape, "shape_type": kind, "points": polygon if number else rectangle})
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "..\\in\\a.png"}
    sizes = {"imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
    put(folder, "a.json", content | sizes)


def _via_regions():
    return [
        {
            "shape_attributes": {
                "name": "rect",
                "x": left,
                "y": top,
                "width": right - left,
                "height": bottom - top,
            },
            "region_attributes": {"quality": {"good": True}, "class": label},
        }
        for label, left, top, right, bottom in CORNERS
    ]


def via_annotations(folder):
    entry = {"filename": "a.png", "size": 60_000, "regions": _via_regions(), "file_attributes": {}}
    put(folder, "via_region_data.json", {"a.png60000": entry})


def via_project(folder):
    entry = {"filename": "a.png", "size": 60_000, "regions": _via_regions(), "file_attributes": {}}
    project = {"_via_settings": {"ui": {}}, "_via_img_metadata": {"a.png60000": entry}}
    attributes = {"region": {"class": {"type": "text"}}, "file": {}}
    put(folder, "via_project.json", project | {"_via_attributes": attributes})


def via_csv(folder):
    regions = _via_regions()
    with (folder / "via_region_data.csv").open("w", newline="") as file:
        table = csv.writer(file)
        counts = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
        table.writerow([*counts, "region_shape_attributes", "region_attributes"])
        for number, region in enumerate(regions):
            said = map(json.dumps, region.values())
            table.writerow(["a.png", 60_000, "{}", len(regions), number, *said])


def _percent():
    for label, left, top, right, bottom in CORNERS:
        x, width = 100 * left / WIDTH, 100 * (right - left) / WIDTH
        y, height = 100 * top / HEIGHT, 100 * (bottom - top) / HEIGHT
        box = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        yield box | {"rectanglelabels": [label]}


def label_studio(folder):
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    names = {"from_name": "label", "to_name": "image", "type": "rectanglelabels"}
    result = [{"id": "x", "value": value, **size, **names} for value in _percent()]
    result.append({"id": "y", "value": {"choices": ["sharp"]}, "type": "choices"})
    annotation = {"id": 1, "completed_by": 1, "result": result, "was_cancelled": False}
    cancelled = {"id": 2, "completed_by": 1, "result": [], "was_cancelled": True}
    task = {"id": 7, "data": {"image": "/data/upload/1/0123abcd-a.png"}, "predictions": []}
    put(folder, "project-1.json", [task | {"annotations": [cancelled, annotation]}])


def label_studio_min(folder):
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    photo = "/data/local-files/?d=my%20photos/a.png"
    task = {"id": 7, "image": photo, "label": [value | size for value in _percent()]}
    put(folder, "project-1-min.json", [task | {"annotator": 1, "lead_time": 2.5}])


def numbers(kind):
    """A label image: cells of any shape, numbered with gaps, touching the rim."""
    mask = np.zeros((HEIGHT, WIDTH), kind)
    for number, (_, left, top, right, bottom) in enumerate(CORNERS):
        ellipse = Image.new("1", (right - left, bottom - top))
        cross = np.array(ellipse)
        cross[cross.shape[0] // 2], cross[:, cross.shape[1] // 2] = True, True
        mask[top:bottom, left:right][cross] = 2 * number + 1
    return mask


def cellpose_png(folder):
    cv2.imwrite(str(folder / "a_cp_masks.png"), numbers(np.uint16))


def stardist_tif(folder):
    tifffile.imwrite(folder / "a.labels.tif", numbers(np.int32), compression="zlib")


def ilastik_tiff(folder):
    tifffile.imwrite(folder / "a_Object Identities.tiff", numbers(np.uint32)[None, ..., None])


def cellprofiler_tiff(folder):
    (folder / "masks").mkdir()
    Image.fromarray(numbers(np.uint8)).save(folder / "masks" / "a.tiff")


def cellpose_seg(folder):
    """As cellpose.io.masks_flows_to_seg saves it."""
    masks = numbers(np.uint16)
    flows = [np.zeros((*masks.shape, 3), np.uint8), np.zeros(masks.shape, np.float32)]
    content = {
        "outlines": masks * 0,
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(3, bool),
        "filename": "somewhere/a.png",
        "flows": flows,
        "diameter": np.float64(30.5),
    }
    np.save(folder / "a_seg.npy", content)


NAMED = (coco, yolo, cvat, pascal_voc, csv_of_roboflow, imagej_zip, imagej_files, qupath, labelme)
NAMED += (via_annotations, via_project, via_csv, label_studio, label_studio_min)
NAMELESS = (cellpose_png, stardist_tif, ilastik_tiff, cellprofiler_tiff, cellpose_seg)
