"""Labels go to other formats and come back as they were; what comes in is placed where it belongs.

Oracles: pycocotools reads what is exported as COCO; YOLO's numbers are worked out by hand.
"""

import contextlib
import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import check
from cellcount.labels.exchange import export_labels, import_labels
from cellcount.labels.formats import WRITTEN


def photo(path, size=(200, 100), orientation=1, seed=0):
    """A photo of ``size`` upright (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    width, height = size[::-1] if orientation == 6 else size
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def box(xmin, ymin, xmax, ymax, label="cell", **marks):
    return voc.Box(label, xmin, ymin, xmax, ymax, **marks)


def label(path, size, *boxes, **more):
    voc.write(path.with_suffix(".xml"), voc.Annotation(path.name, *size, boxes, **more))


@pytest.fixture
def folder(tmp_path):
    """Photos and labels as they come: turned, of odd size and name, of two classes, one empty."""
    folder = tmp_path / "labeled"
    one = photo(folder / "a.jpg")
    label(one, (200, 100), box(0, 0, 200, 100), box(10, 20, 31, 43, "debris µ"), box(7, 8, 9, 11))
    two = photo(folder / "slide µ 2.JPG", (101, 203), orientation=6, seed=1)
    label(two, (101, 203), box(1, 150, 100, 203, truncated=True), box(3, 5, 7, 11, difficult=True))
    label(photo(folder / "c.png", (2999, 17), seed=2), (2999, 17), box(2997, 3, 2999, 17))
    label(photo(folder / "none.tif", seed=3), (200, 100))
    return folder


def labels(folder):
    return {path.name: voc.read(path) for path in folder.glob("*.xml")}


def unmarked(annotations):
    return {
        name: replace(
            one, boxes=tuple(replace(b, truncated=False, difficult=False) for b in one.boxes)
        )
        for name, one in annotations.items()
    }


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("zipped", [False, True])
def test_there_and_back_is_the_same(folder, tmp_path, format, zipped):
    before = labels(folder)
    assert export_labels(folder, tmp_path / "out", format) == (4, 6, 1)
    source = tmp_path / "out"
    if zipped:
        source = shutil.make_archive(str(tmp_path / "export"), "zip", source)
    assert import_labels(source, tmp_path / "back") == (4, 6, 1)
    back = labels(tmp_path / "back")
    # The others have no place for marks.
    assert back == (before if format in ("coco", "voc") else unmarked(before))
    for path in folder.iterdir():
        if path.suffix != ".xml":
            assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()
    assert check(tmp_path / "back").findings == []


def test_pycocotools_reads_the_same_boxes(folder, tmp_path):
    export_labels(folder, tmp_path / "out", "coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "out" / "annotations" / "instances_default.json")
    names = {entry["id"]: entry["name"] for entry in coco.loadCats(coco.getCatIds())}
    assert set(names.values()) == {"cell", "debris µ"}
    found = {}
    for image in coco.loadImgs(coco.getImgIds()):
        assert (tmp_path / "out" / "images" / image["file_name"]).is_file()
        entries = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        boxes = [
            (names[e["category_id"]], x, y, x + w, y + h)
            for e in entries
            for x, y, w, h in [e["bbox"]]
        ]
        assert all(e["area"] == e["bbox"][2] * e["bbox"][3] for e in entries)
        found[image["file_name"]] = (image["width"], image["height"], boxes)
    assert found == {
        one.filename: (
            one.width,
            one.height,
            [(b.label, b.xmin, b.ymin, b.xmax, b.ymax) for b in one.boxes],
        )
        for one in labels(folder).values()
    }


def test_yolo_is_written_as_worked_out_by_hand(folder, tmp_path):
    export_labels(folder, tmp_path / "out", "yolo")
    texts = tmp_path / "out" / "labels" / "train"
    assert (texts / "a.txt").read_text().splitlines() == [
        "0 0.50000000 0.50000000 1.00000000 1.00000000",
        "1 0.10250000 0.31500000 0.10500000 0.23000000",
        "0 0.04000000 0.09500000 0.01000000 0.03000000",
    ]
    assert (texts / "none.txt").read_text() == ""
    assert (tmp_path / "out" / "classes.txt").read_text("utf-8") == "cell\ndebris µ\n"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("classes.txt", "debris\ncell\n"),
        ("obj.names", "debris\r\ncell\r\n"),
        ("data.yaml", "train: ../images\nnames: [debris, cell]\n"),
        ("data.yaml", "path: .\nnames:\n  1: cell\n  0: debris\n"),
    ],
)
def test_yolo_is_read_as_worked_out_by_hand(tmp_path, names, text):
    source = tmp_path / "export"
    photo(source / "images" / "a.jpg")
    (source / "labels").mkdir()
    # In pixels of 200 × 100: centre 50, 30; size 20 × 10. And from 0 to 33.3 across.
    (source / "labels" / "a.txt").write_text("1 0.25 0.3 0.1 0.1\n\n0 .08325 0.5 .1665 1\n")
    (source / names).write_text(text)
    (source / "train.txt").write_text("images/a.jpg\n")
    import_labels(source, tmp_path / "to")
    assert labels(tmp_path / "to") == {
        "a.xml": voc.Annotation(
            "a.jpg", 200, 100, (box(40, 25, 60, 35), box(0, 0, 33, 100, "debris"))
        )
    }


def test_yolo_boxes_with_a_score_are_a_models(tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("0 0.25 0.3 0.1 0.1 0.87\n")
    (tmp_path / "classes.txt").write_text("cell\n")
    import_labels(tmp_path, tmp_path)
    assert voc.read(tmp_path / "a.xml").verified is False


def coco(path, width=200, height=100, **more):
    """As Label Studio exports it: boxes of fractions of pixels, photos in a folder."""
    content = {
        "images": [{"id": 0, "file_name": "images\\a.jpg", "width": width, "height": height}],
        "categories": [{"id": 0, "name": "cell"}],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 0,
                "bbox": [10.4, 20.6, 30.2, 9.9],
                "segmentation": [],
                "area": 298.98,
                "iscrowd": 0,
                "ignore": 0,
            }
        ],
        "info": {},
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_label_studios_coco(tmp_path):
    photo(tmp_path / "export" / "images" / "a.jpg")
    coco(tmp_path / "export" / "result.json")
    import_labels(tmp_path / "export", tmp_path / "to")
    # 10.4 + 30.2 = 40.6, 20.6 + 9.9 = 30.5; halves go to the even number.
    assert voc.read(tmp_path / "to" / "a.xml").boxes == (box(10, 21, 41, 30),)


def test_a_json_alone_finds_the_photos_beside_it_or_in_the_folder(tmp_path):
    json_file = coco(tmp_path / "cvat" / "annotations" / "instances_default.json")
    coco(tmp_path / "cvat" / "annotations" / "other.json", width=9)  # not asked for
    photo(tmp_path / "cvat" / "images" / "deep" / "a.jpg")
    import_labels(json_file, tmp_path / "to")
    photo(tmp_path / "there" / "a.jpg")
    import_labels(coco(tmp_path / "alone" / "x.json"), tmp_path / "there")
    assert labels(tmp_path / "to") == labels(tmp_path / "there") != {}


CVAT = """<annotation>
  <folder></folder>
  <filename>deep/a.jpg</filename>
  <source><database>Unknown</database><annotation>Unknown</annotation></source>
  <size><width>200</width><height>100</height><depth></depth></size>
  <segmented>0</segmented>
  <object>
    <name>cell</name><truncated>0</truncated><occluded>1</occluded><difficult>1</difficult>
    <bndbox><xmin>10.4</xmin><ymin>20.6</ymin><xmax>40.6</xmax><ymax>30.51</ymax></bndbox>
    <attributes><attribute><name>rotation</name><value>0.0</value></attribute></attributes>
  </object>
</annotation>
"""


def test_cvats_zip_of_pascal_voc(tmp_path):
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("Annotations/deep/a.xml", CVAT)
        archive.write(photo(tmp_path / "elsewhere" / "a.jpg"), "JPEGImages/deep/a.jpg")
        archive.writestr("ImageSets/Main/default.txt", "deep/a\n")
        archive.writestr("labelmap.txt", "# label:color_rgb:parts:actions\ncell:1,2,3::\n")
    import_labels(tmp_path / "task.zip", tmp_path / "to")
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.jpg", "a.xml"]
    expected = voc.Annotation("a.jpg", 200, 100, (box(10, 21, 41, 31, difficult=True),))
    assert voc.read(tmp_path / "to" / "a.xml") == expected


def test_label_studios_pascal_voc_without_suffix_and_with_its_prefix(tmp_path):
    photo(tmp_path / "to" / "a.jpg")
    xml = tmp_path / "export" / "Annotations" / "0123abcd-a.xml"
    xml.parent.mkdir(parents=True)
    xml.write_text(CVAT.replace("deep/a.jpg", "0123abcd-a"))
    import_labels(tmp_path / "export", tmp_path / "to")
    assert voc.read(tmp_path / "to" / "a.xml").filename == "a.jpg"


def listing(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def person_labelled(to, source):
    label(photo(to / "a.jpg"), (200, 100), box(1, 1, 9, 9))
    return r"to/a\.xml is there already and is not replaced"


def other_photo_of_that_name(to, source):
    photo(to / "a.jpg", seed=5)
    return r"to/a\.jpg is there already and differs from"


def two_photos_of_that_name(to, source):
    photo(source / "more" / "a.jpg", seed=5)
    entry = {"id": 0, "file_name": "a.jpg", "width": 200, "height": 100}
    coco(source / "result.json", images=[entry])
    return "two that differ"


def no_photo(to, source):
    (source / "images" / "a.jpg").unlink()
    return r"result\.json labels the photo a\.jpg, which is nowhere"


def turned_photo(to, source):
    photo(source / "images" / "a.jpg", (100, 200), orientation=6)
    return "EXIF rotation"


def other_size(to, source):
    photo(source / "images" / "a.jpg", (100, 50))
    return "has 200 × 100 pixels, but upright it has 100 × 50.*resized"


def broken_photo(to, source):
    (source / "images" / "a.jpg").write_bytes(b"nothing")
    return "no JPEG"


def no_class(to, source):
    coco(source / "result.json", categories=[])
    return "no complete COCO file"


def crowd(to, source):
    entry = {"id": 7, "image_id": 0, "category_id": 0, "bbox": [1, 2, 3, 4], "iscrowd": 1}
    coco(source / "result.json", annotations=[entry])
    return "annotation 7 is a crowd"


def other_image(to, source):
    entry = {"id": 7, "image_id": 9, "category_id": 0, "bbox": [1, 2, 3, 4]}
    coco(source / "result.json", annotations=[entry])
    return "image that is not listed"


def no_box(to, source):
    entry = {"id": 7, "image_id": 0, "category_id": 0, "bbox": []}
    coco(source / "result.json", annotations=[entry])
    return "no complete COCO file .*annotation 7, without bbox, has neither box nor outline"


def endless_box(to, source):
    entry = {"id": 7, "image_id": 0, "category_id": 0, "bbox": [1, 2, float("nan"), 4]}
    coco(source / "result.json", annotations=[entry])
    return "annotation 7 has a box without end"


def two_formats(to, source):
    (source / "classes.txt").write_text("cell\n")
    return "several formats, .*--format"


def nothing(to, source):
    (source / "result.json").write_text("[]")
    return "no labels that are known"


def yolo(source, text, names="cell\n"):
    (source / "result.json").unlink()
    (source / "a.txt").write_text(text)
    if names:
        (source / "classes.txt").write_text(names)


def no_names(to, source):
    yolo(source, "0 .1 .1 .1 .1", names=None)
    (source / "data.yaml").write_text("train: images\n")
    return "data.yaml does not say the names"


def unnamed_class(to, source):
    yolo(source, "0 .1 .1 .1 .1\n3 .1 .1 .1 .1")
    return r"a\.txt, box 2 is of class 3, which has no name"


def garbage(to, source):
    yolo(source, "0 .1 .1 .1")
    return r"a\.txt, box 1 is \"0 .1 .1 .1\" instead of"


def endless_yolo(to, source):
    yolo(source, "0 .1 inf .1 .1")
    return "inf .* instead of"


def labels_of_no_photo(to, source):
    yolo(source, "0 .1 .1 .1 .1")
    (source / "b.txt").write_text("0 .1 .1 .1 .1")
    return r"b\.txt labels the photo b, which is nowhere"


def video(to, source):
    (source / "result.json").unlink()
    (source / "annotations.xml").write_text(
        "<annotations><track id='0' label='cell'/></annotations>"
    )
    return "annotations.xml is no complete CVAT file .*labels a video"


def damaged_xml(to, source):
    (source / "result.json").unlink()
    (source / "a.xml").write_text(CVAT[:-20])
    return "damaged"


MISTAKES = [
    person_labelled,
    other_photo_of_that_name,
    two_photos_of_that_name,
    no_photo,
    turned_photo,
    other_size,
    broken_photo,
    no_class,
    crowd,
    other_image,
    no_box,
    endless_box,
    two_formats,
    nothing,
    no_names,
    unnamed_class,
    garbage,
    endless_yolo,
    labels_of_no_photo,
    video,
    damaged_xml,
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_anything_is_written(tmp_path, mistake):
    source, to = tmp_path / "export", tmp_path / "to"
    photo(source / "images" / "a.jpg")
    coco(source / "result.json")
    says = mistake(to, source)
    before = listing(tmp_path)
    with pytest.raises(CellCountError, match=says):
        import_labels(source, to)
    assert listing(tmp_path) == before


def test_an_import_that_broke_off_goes_on(tmp_path):
    source, to = tmp_path / "export", tmp_path / "to"
    photo(source / "images" / "a.jpg")
    coco(source / "result.json")
    import_labels(source, to)
    (to / "a.jpg").unlink()
    before = (to / "a.xml").stat().st_mtime_ns
    import_labels(source, to)
    assert (to / "a.jpg").is_file()
    assert (to / "a.xml").stat().st_mtime_ns == before


@pytest.mark.parametrize("format", WRITTEN)
def test_export_replaces_nothing_and_refuses_mistakes(folder, tmp_path, format):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(CellCountError, match="out is there already and is not replaced"):
        export_labels(folder, tmp_path / "out", format)
    label(folder / "a.jpg", (200, 100), box(9, 9, 9, 9))
    with pytest.raises(CellCountError, match=r"a\.xml: .*empty"):
        export_labels(folder, tmp_path / "new", format)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("format", WRITTEN)
def test_what_a_model_drew_does_not_leave_as_a_persons(folder, tmp_path, format):
    label(folder / "a.jpg", (200, 100), box(1, 1, 9, 9), verified=False)
    assert export_labels(folder, tmp_path / "out", format).photos == 3
    assert not list((tmp_path / "out").rglob("a.*"))


def test_a_zip_is_unpacked_nowhere_else_and_a_broken_one_is_told(tmp_path):
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "task.zip", "w") as archive:
        archive.writestr("../../evil.xml", CVAT)
        archive.writestr("/tmp/evil.xml", CVAT)
        archive.write(photo(tmp_path / "elsewhere" / "a.jpg"), "a.jpg")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(CellCountError, match="both label a photo named a"):
        import_labels(tmp_path / "in" / "task.zip", tmp_path / "to")
    assert set(tmp_path.rglob("*")) == before
    whole = (tmp_path / "in" / "task.zip").read_bytes()
    (tmp_path / "in" / "task.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CellCountError, match=r"task\.zip cannot be unpacked .*again"):
        import_labels(tmp_path / "in" / "task.zip", tmp_path / "to")


def test_commands_say_what_came_of_it(folder, tmp_path, capsys):
    out, back = str(tmp_path / "out"), str(tmp_path / "back")
    assert main.main(["export", str(folder), out, "--format", "yolo"]) == 0
    assert "4 photos with 6 boxes are in" in capsys.readouterr().out
    assert main.main(["import", out, back]) == 0
    said = capsys.readouterr().out
    assert "4 more labelled photos, with 6 boxes" in said
    assert "1 of them have no box" in said
    assert main.main(["import", str(tmp_path / "gone"), back]) == 1
    assert "no folder, zip or file of labels" in capsys.readouterr().err


def test_real_photos_go_there_and_back(real_photos, tmp_path):
    before = labels(real_photos)
    for format in WRITTEN:
        export_labels(real_photos, tmp_path / format, format)
        import_labels(tmp_path / format, tmp_path / f"{format}-back")
        assert labels(tmp_path / f"{format}-back") == before
