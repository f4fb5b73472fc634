"""Small files of labels that were refused, or read otherwise than meant; each stands for a kind."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import check, ready_to_train
from cellcount.labels.exchange import import_labels
from cellcount.labels.mending import mend


def photo(path, size=(200, 100), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def source(tmp_path):
    photo(tmp_path / "in" / "a.jpg")
    return tmp_path / "in"


def boxes(folder, name="a.xml"):
    return [(b.xmin, b.ymin, b.xmax, b.ymax) for b in voc.read(folder / name).boxes]


VOC = """<annotation>
  <filename>a.jpg</filename>
  <size><width>200</width><height>100</height><depth>3</depth></size>
  <object><name>cell</name>
    <bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>50</ymax></bndbox></object>
</annotation>
"""
SIZE = "<size><width>200</width><height>100</height><depth>3</depth></size>"
BNDBOX = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>50</ymax></bndbox>"
INCOMPLETE = [
    VOC.replace("200", "0").replace("100", "0"),
    VOC.replace(SIZE, ""),
    VOC.replace(SIZE, "<size></size>"),
    VOC.replace("<filename>a.jpg</filename>", ""),
    VOC.replace("a.jpg", "a"),
    VOC.replace("a.jpg", "A.JPG"),
    VOC.replace("a.jpg", "C:\\data\\a.jpg"),
    VOC.replace(
        BNDBOX,
        "<polygon><x1>10</x1><y1>20</y1><x2>40</x2><y2>25</y2><x3>15</x3><y3>50</y3></polygon>",
    ),
    VOC.replace(
        BNDBOX,
        "<polygon><pt><x>10</x><y>50</y></pt><pt><x>40</x><y>20</y></pt><pt><x>20</x><y>30</y></pt>"
        "</polygon>",
    ),
]


@pytest.mark.parametrize("text", INCOMPLETE)
def test_an_incomplete_xml_comes_in(source, tmp_path, text):
    put(source / "a.xml", text)
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(10, 20, 40, 50)]
    assert check(tmp_path / "to").findings == []


@pytest.mark.parametrize("text", INCOMPLETE)
def test_an_incomplete_xml_is_mended_where_it_is(source, text, icevision):
    put(source / "a.xml", text)
    assert check(source).errors
    assert not any("abel the photo again" in finding.cure for finding in check(source).errors)
    with pytest.raises(CellCountError, match="--fix mends"):
        ready_to_train(source)
    list(mend(source))
    assert check(source).findings == []
    assert list(mend(source)) == []
    ready_to_train(source)
    parser = icevision.parsers.VOCBBoxParser(annotations_dir=source, images_dir=source)
    ((record,),) = parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)
    assert [box.xyxy for box in record.detection.bboxes] == [(10, 20, 40, 50)]


def test_a_size_that_nobody_knows_is_left_to_the_person(source):
    put(source / "a.xml", VOC.replace(SIZE, "").replace("<xmax>40<", "<xmax>240<"))
    list(mend(source))
    assert any(
        "0 × 0" in finding.problem or "no <size" in finding.problem
        for finding in check(source).errors
    )
    put(source / "a.xml", "<annotation/>")
    list(mend(source))
    assert check(source).errors


def test_an_empty_box_is_no_point(source, tmp_path):
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 6, 0, 0]}
    coco(source / "c.json", [(1, "a.jpg")], annotations=[entry])
    import_labels(source, tmp_path / "to", diameter=10)
    assert boxes(tmp_path / "to") == [(5, 6, 5, 6)]
    assert "empty" in check(tmp_path / "to").errors[0].problem


def test_an_outline_without_numbers_is_named(source):
    put(source / "a.xml", VOC.replace(BNDBOX, "<polygon><x1>ten</x1><y1>2</y1></polygon>"))
    (finding,) = check(source).errors
    assert "Box 1 has <bndbox/xmin>ten" in finding.problem


def test_xml_of_other_programs_is_passed_over(source, tmp_path):
    put(source / "a.xml", VOC)
    put(source / ".idea" / "workspace.xml", "<project/>")
    put(source / "export" / "imagej.xml", "<root/>")
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(10, 20, 40, 50)]


@pytest.mark.parametrize("devkit", ["", "VOCdevkit/VOC2012"])
def test_the_standard_folders_of_pascal_voc(tmp_path, devkit):
    photo(tmp_path / "in" / devkit / "JPEGImages" / "a.jpg")
    put(tmp_path / "in" / devkit / "Annotations" / "a.xml", VOC)
    with pytest.raises(
        CellCountError, match=r"folders of their own, .*cellcount import .* NEW-FOLDER"
    ):
        check(tmp_path / "in" / devkit)
    import_labels(tmp_path / "in", tmp_path / "to")
    assert boxes(tmp_path / "to") == [(10, 20, 40, 50)]


def test_the_standard_folders_of_yolo_without_names(tmp_path):
    photo(tmp_path / "in" / "images" / "a.jpg")
    photo(tmp_path / "in" / "images" / "empty.jpg", seed=1)
    text = put(tmp_path / "in" / "labels" / "a.txt", "0 0.25 0.3 0.1 0.1\n")
    put(tmp_path / "in" / "labels" / "empty.txt", "")
    import_labels(tmp_path / "in", tmp_path / "to", label="yeast")
    assert voc.read(tmp_path / "to" / "a.xml").boxes == (voc.Box("yeast", 40, 25, 60, 35),)
    assert boxes(tmp_path / "to", "empty.xml") == []
    put(text, "0 0.25 0.3 0.1 0.1\n1 0.25 0.3 0.1 0.1\n")
    with pytest.raises(CellCountError, match=r"put the names of the classes into classes\.txt"):
        import_labels(tmp_path / "in", tmp_path / "more")


@pytest.mark.parametrize(
    "row", ["0 3.5 0.5 0.1 0.1", "0 100 50 20 10", "0 -0.2 0.5 0.1 0.1", "0 0.5 0.5 5 0.1"]
)
def test_yolo_rows_in_pixels_or_far_outside(source, tmp_path, row):
    put(source / "a.txt", f"0 0.5 0.5 0.1 0.1\n{row}\n")
    with pytest.raises(CellCountError, match=r"a\.txt, box 2 lies far outside .*divide pixels"):
        import_labels(source, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_yolo_box_a_little_outside_is_left_to_the_check(source, tmp_path):
    put(source / "a.txt", "0 0.02 0.5 0.06 0.1\n")
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(-2, 45, 10, 55)]
    list(mend(tmp_path / "to"))
    assert boxes(tmp_path / "to") == [(0, 45, 10, 55)]


def test_what_yolo_leaves_open_is_said(source, tmp_path, capsys):
    photo(source / "b.jpg", seed=1)
    photo(source / "c.jpg", seed=2)
    put(source / "a.txt", "0 0.5 0.5 0.1 0.1 0.87\n")
    put(source / "b.txt", "0 0.5 0.5 0.1 0.1\n")
    assert main.main(["import", str(source), str(tmp_path / "to")]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 photos have scores beside their boxes" in said
    assert "until you confirm them" in said
    assert "they have no text file: 1 of 3 photos, as c.jpg" in said
    assert not (tmp_path / "to" / "c.jpg").exists()


def coco(path, names, **more):
    entries = [{"id": i, "file_name": name, "width": 200, "height": 100} for i, name in names]
    cells = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [10 + i, 20, 30, 40]} for i, _ in names
    ]
    kinds = [{"id": 1, "name": "cell"}]
    content = {"images": entries, "categories": kinds, "annotations": cells}
    return put(path, json.dumps(content | more))


def test_photos_of_one_name_in_two_folders(tmp_path):
    for number, day in enumerate(("monday", "tuesday")):
        photo(tmp_path / "in" / "images" / day / "001.jpg", seed=number)
    coco(tmp_path / "in" / "c.json", [(1, "monday/001.jpg"), (2, "tuesday\\001.jpg")])
    import_labels(tmp_path / "in", tmp_path / "to")
    assert boxes(tmp_path / "to", "monday-001.xml") == [(11, 20, 41, 60)]
    assert boxes(tmp_path / "to", "tuesday-001.xml") == [(12, 20, 42, 60)]
    assert check(tmp_path / "to").findings == []


def test_one_photo_twice_in_a_file_is_said(source, tmp_path):
    coco(source / "c.json", [(1, "a.jpg"), (2, "a.jpg")])
    with pytest.raises(
        CellCountError, match=r"c\.json has two entries for a photo named a .*remove"
    ):
        import_labels(source, tmp_path / "to")


def test_a_name_in_another_case(source, tmp_path):
    coco(source / "c.json", [(1, "A.JPG")])
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(11, 20, 41, 60)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"images": None}, "laid out otherwise"),
        ({"categories": [{"id": 1}]}, "it lacks 'name'"),
        ({"annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}]}, "not listed"),
        ({"annotations": [{"image_id": [], "category_id": 1}]}, "laid out otherwise"),
        ({"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2]}]}, "laid out"),
        ({"annotations": [{"image_id": 1, "category_id": 1, "segmentation": {}}]}, "neither box"),
    ],
)
def test_an_incomplete_coco_file_is_named_in_plain_words(source, tmp_path, more, says):
    coco(source / "c.json", [(1, "a.jpg")], **more)
    with pytest.raises(CellCountError, match=rf"c\.json is no complete COCO file \(.*{says}.*mend"):
        import_labels(source, tmp_path / "to")


@pytest.mark.parametrize("text", ['{"images": [', "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_a_damaged_json_is_named(source, tmp_path, text):
    put(source / "c.json", text)
    with pytest.raises(CellCountError, match=r"c\.json is cut short or damaged .*again"):
        import_labels(source, tmp_path / "to")


def test_too_large_a_file_of_labels_is_refused_unread(source, tmp_path):
    with (source / "c.json").open("wb") as file:
        file.truncate(2 << 30)  # sparse: no disk is filled
    with pytest.raises(CellCountError, match=r"c\.json has 2147 MB, .*several parts"):
        import_labels(source, tmp_path / "to")


def bomb(path, name, size):
    """A zip of zeros that unpack to ``size`` bytes."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as file,
    ):
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


def test_zips_that_would_fill_disk_or_memory(source, tmp_path, monkeypatch):
    monkeypatch.setattr("cellcount.labels.sources._USUAL_ZIP", 30e6)
    with pytest.raises(CellCountError, match=r"^\S+task\.zip would unpack to 0\.1 GB"):
        import_labels(bomb(source / "task.zip", "a.json", 64 << 20), tmp_path / "to")
    (source / "task.zip").unlink()
    monkeypatch.setattr("cellcount.labels.formats.imagej._LARGEST", 30e6)
    bomb(source / "a.zip", "1.roi", 64 << 20)
    with pytest.raises(
        CellCountError, match=r"a\.zip is no complete ImageJ file \(it would unpack to over 30 MB"
    ):
        import_labels(source, tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("content", [b"Iout", b"nothing", b""])
def test_damaged_regions_of_imagej(source, tmp_path, content):
    (source / "a.roi").write_bytes(content)
    with pytest.raises(CellCountError, match=r"a\.roi is no complete ImageJ file"):
        import_labels(source, tmp_path / "to")


def test_a_format_that_is_not_there(source, tmp_path):
    shutil.rmtree(source)
    photo(source / "a.jpg")
    with pytest.raises(
        CellCountError, match=r"no labels that are known \(labelme\): docs/labels\.md"
    ):
        import_labels(source, tmp_path / "to", "labelme")


def test_a_zip_with_damaged_content_is_told(source, tmp_path):
    text = bytes(range(256)) * 40
    with zipfile.ZipFile(source / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", text)
    whole = bytearray((source / "task.zip").read_bytes())
    whole[36:44] = b"\xff" * 8  # in the packed bytes, behind the name
    (source / "task.zip").write_bytes(whole)
    with pytest.raises(CellCountError, match=r"task\.zip cannot be unpacked .*again"):
        import_labels(source / "task.zip", tmp_path / "to")
