"""Small files of labels that were refused, or read otherwise than meant; each stands for a kind."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import roifile
from PIL import Image

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import check, ready_to_train
from cellcount.labels.exchange import export_labels, import_labels
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


def table(folder, text):
    (folder / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_of_tables_end_as_on_any_computer(source, tmp_path, end):
    table(source, f"filename,x,y{end}a.jpg,10,20{end}a.jpg,30,40{end}")
    import_labels(source, tmp_path / "to", diameter=4)
    assert boxes(tmp_path / "to") == [(8, 18, 12, 22), (28, 38, 32, 42)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y,filename\n1,2\n", "line 2 names no photo"),
        (b"x,y\n1\0,2\n", "instead of numbers|laid out otherwise"),
        ('x,y\n"' + "1" * 200_000 + '",2\n', "larger than field limit"),
        (b"filename,region_shape_attributes\na.jpg," + b"x" * 200_000, "larger than field limit"),
    ],
)
def test_a_damaged_table_is_told(source, tmp_path, text, says):
    table(source, text)
    with pytest.raises(CellCountError, match=rf"labels\.csv is no complete .*{says}"):
        import_labels(source, tmp_path / "to", diameter=4)
    assert not (tmp_path / "to").exists()


def test_a_binary_file_beside_the_labels_is_passed_over(source, tmp_path):
    put(source / "a.xml", VOC)
    (source / "book.xls").write_bytes(bytes(range(256)) * 9)
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(10, 20, 40, 50)]


def test_a_name_with_a_colon_and_sizes_with_decimals(tmp_path):
    photo(tmp_path / "in" / "at 10:30.jpg")
    columns = "filename,width,height,class,xmin,ymin,xmax,ymax"
    table(tmp_path / "in", f"{columns}\nat 10:30.jpg,200.0,100.0,cell,1,2,30,40\n")
    import_labels(tmp_path / "in", tmp_path / "to")
    assert boxes(tmp_path / "to", "at 10:30.xml") == [(1, 2, 30, 40)]


def days(top, write):
    """Two photos of one name, each with labels of its own."""
    for number, day in enumerate(("monday", "tuesday")):
        write(photo(top / day / "001.jpg", seed=number), number)
    return top


def beside_as_voc(path, number):
    cell = voc.Box("cell", number, 1, 20, 30)
    voc.write(path.with_suffix(".xml"), voc.Annotation("001.jpg", 200, 100, (cell,)))


def apart_as_yolo(path, number):
    text = f"0 {(20 + number) / 400} 0.155 {(20 - number) / 200} 0.29"
    put(path.parents[2] / "labels" / path.parent.name / "001.txt", text)


def below_as_yolo(path, number):
    apart_as_yolo(path, number)
    (path.parents[2] / path.parent.name).mkdir(exist_ok=True)
    (path.parents[2] / "labels" / path.parent.name).rename(
        path.parents[2] / path.parent.name / "labels"
    )
    path.parent.rename(path.parents[2] / path.parent.name / "images")


def beside_as_mask(path, number):
    mask = np.zeros((100, 200), np.uint8)
    mask[1:30, number:20] = 1
    Image.fromarray(mask).save(path.with_name("001_cp_masks.png"))


@pytest.mark.parametrize("write", [beside_as_voc, apart_as_yolo, below_as_yolo, beside_as_mask])
def test_labels_are_of_the_photo_in_their_own_folder(tmp_path, write):
    days(tmp_path / "in" / "images", write)
    import_labels(tmp_path / "in", tmp_path / "to")
    xmls = (tmp_path / "to").glob("*.xml")
    found = {path.name: boxes(tmp_path / "to", path.name) for path in xmls}
    assert len(found) == 2
    for name, drawn in found.items():
        original = {(0,): "monday", (1,): "tuesday"}[tuple(box[0] for box in drawn)]
        same = photo(tmp_path / "same.jpg", seed=["monday", "tuesday"].index(original))
        kept = (tmp_path / "to" / name).with_suffix(".jpg")
        assert kept.read_bytes() == same.read_bytes()
        assert drawn[0][1:] == (1, 20, 30)


def test_names_that_differ_in_case_are_one_name_on_windows_and_macos(tmp_path):
    for day, name in (("monday", "A.jpg"), ("tuesday", "a.jpg")):
        path = photo(tmp_path / "in" / day / name, seed=len(day))
        cell = voc.Box("cell", len(day), 1, 20, 30)
        voc.write(path.with_suffix(".xml"), voc.Annotation(name, 200, 100, (cell,)))
    import_labels(tmp_path / "in", tmp_path / "to")
    assert boxes(tmp_path / "to", "monday-A.xml") == [(6, 1, 20, 30)]
    assert boxes(tmp_path / "to", "tuesday-a.xml") == [(7, 1, 20, 30)]
    (tmp_path / "in" / "tuesday" / "a.jpg").rename(tmp_path / "in" / "monday" / "a.jpg")
    (tmp_path / "in" / "tuesday" / "a.xml").rename(tmp_path / "in" / "monday" / "a.xml")
    with pytest.raises(CellCountError, match=r"both label a photo named a .*rename one"):
        import_labels(tmp_path / "in", tmp_path / "there")


def test_a_text_file_alone_brings_its_own_labels_only(source, tmp_path, capsys):
    photo(source / "b.jpg", seed=1)
    put(source / "classes.txt", "cell\ndebris\n")
    put(source / "b.txt", "0 .5 .5 .1 .1\n")
    text = put(source / "a.txt", "1 .5 .5 .1 .1\n")
    import_labels(text, tmp_path / "to")
    assert [path.name for path in (tmp_path / "to").glob("*.xml")] == ["a.xml"]
    assert voc.read(tmp_path / "to" / "a.xml").boxes[0].label == "debris"
    assert "Left out" not in capsys.readouterr().out


def test_names_of_classes_that_would_fill_the_memory(source, tmp_path):
    put(source / "a.txt", "0 .5 .5 .1 .1\n")
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 40):  # 9 ** 40 letters, were it written out
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    put(source / "data.yaml", f"{text}names: [*a39]\n")
    with pytest.raises(
        CellCountError, match=r"data\.yaml does not say the names .*list is no name"
    ):
        import_labels(source, tmp_path / "to")


@pytest.mark.parametrize("format", ["imagej", "csv"])
@pytest.mark.parametrize("label", ["1", "0001", "+", "F1-C2", '"a"', "=x", "a: b"])
def test_a_class_of_any_name_goes_out_and_in_again(source, tmp_path, format, label):
    voc.write(source / "a.xml", voc.Annotation("a.jpg", 200, 100, (voc.Box(label, 1, 2, 30, 40),)))
    export_labels(source, tmp_path / "out", format)
    import_labels(tmp_path / "out", tmp_path / "to")
    assert voc.read(tmp_path / "to" / "a.xml").boxes == (voc.Box(label, 1, 2, 30, 40),)


def test_regions_in_a_folder_that_is_named_as_the_photo(source, tmp_path):
    photo(source / "b.jpg", seed=1)
    for number, name in enumerate("ab"):
        (source / name).mkdir()
        sides = {"left": number, "top": 1, "right": 20, "bottom": 30}
        region = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, version=227, **sides)
        region.tofile(source / name / "0015-0010.roi")
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(0, 1, 20, 30)]
    assert boxes(tmp_path / "to", "b.xml") == [(1, 1, 20, 30)]


def test_background_is_0_also_below_other_numbers(source, tmp_path):
    mask = np.zeros((100, 200), np.int16)
    mask[10:20, 30:40], mask[50:60, 70:80] = -1, 5
    np.save(source / "a_masks.npy", mask)
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(30, 10, 40, 20), (70, 50, 80, 60)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"categories": [{"id": 1, "name": "a\0b"}]}, "no name or no place"),
        (
            {"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 1e300, 4]}]},
            "no place",
        ),
    ],
)
def test_what_no_xml_can_hold_is_told_before_anything_is_written(source, tmp_path, more, says):
    coco(source / "c.json", [(1, "a.jpg")], **more)
    with pytest.raises(CellCountError, match=rf"c\.json has a cell .*{says}.*mend it"):
        import_labels(source, tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    "more", [{"diameter": -3}, {"diameter": float("nan")}, {"diameter": 0}, {"label": " "}]
)
def test_options_that_mean_nothing(source, tmp_path, more):
    put(source / "a.csv", "x,y\n10,20\n")
    with pytest.raises(CellCountError, match=r"give (it|one)"):
        import_labels(source, tmp_path / "to", **({"diameter": 4} | more))


def test_labels_do_not_come_between_photos_of_one_name(source, tmp_path):
    put(source / "a.xml", VOC)
    photo(tmp_path / "to" / "a.png", seed=3)
    with pytest.raises(
        CellCountError, match=r"to/a\.png is there already, and the labels of a\.jpg"
    ):
        import_labels(source, tmp_path / "to")


def test_an_error_in_a_zip_names_the_zip(source, tmp_path):
    coco(source / "c.json", [(1, "a.jpg")], categories=[])
    archive = shutil.make_archive(str(tmp_path / "task"), "zip", source)
    with pytest.raises(
        CellCountError, match=r"task\.zip/c\.json is no complete COCO file"
    ) as error:
        import_labels(archive, tmp_path / "to")
    assert str(error.value).startswith(archive)


def test_regions_around_qupaths_cells_are_left_out_and_told(source, tmp_path, capsys):
    def feature(kind, side):
        ring = [[1, 2], [side, 2], [side, side], [1, 2]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "geometry": shape, "properties": {"objectType": kind}}

    put(source / "a.geojson", json.dumps([feature("annotation", 90), feature("cell", 30)]))
    import_labels(source, tmp_path / "to")
    assert boxes(tmp_path / "to") == [(1, 2, 30, 30)]
    assert "1 objects in a.geojson are left out" in capsys.readouterr().out
