"""Pascal VOC: what is written is what labelImg writes, and nonsense is named."""

from pathlib import Path

import pytest
from PIL import Image

from cellcount import voc
from cellcount.errors import CellCountError

# As labelImg 1.8.6 saved it (its <path> and <source> shortened).
BY_LABELIMG = """<annotation verified="yes">
	<folder>photos</folder>
	<filename>slide µ 1.jpg</filename>
	<path>/home/someone/photos/slide µ 1.jpg</path>
	<source>
		<database>Unknown</database>
	</source>
	<size>
		<width>640</width>
		<height>480</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>Microalgae</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>10</xmin>
			<ymin>20</ymin>
			<xmax>640</xmax>
			<ymax>44</ymax>
		</bndbox>
	</object>
	<object>
		<name>Debris</name>
		<bndbox>
			<xmin>1.6</xmin>
			<ymin>2.0</ymin>
			<xmax>3.2</xmax>
			<ymax>4</ymax>
		</bndbox>
	</object>
</annotation>
"""


def saved(folder: Path, text: str, name: str = "a.xml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_read_takes_labelimgs_file(tmp_path):
    assert voc.read(saved(tmp_path, BY_LABELIMG)) == voc.Annotation(
        "slide µ 1.jpg",
        640,
        480,
        (
            voc.Box("Microalgae", 10, 20, 640, 44, truncated=True),
            voc.Box("Debris", 2, 2, 3, 4),
        ),
        verified=True,
    )


def test_write_follows_labelimgs_layout_line_by_line(tmp_path):
    box = voc.Box("Microalgae", 10, 20, 640, 44, truncated=True)
    folder = tmp_path / "photos"
    folder.mkdir()
    voc.write(folder / "a.xml", voc.Annotation("slide µ 1.jpg", 640, 480, (box,), verified=True))
    lines = BY_LABELIMG.splitlines()
    second = lines.index("\t<object>", lines.index("\t<object>") + 1)
    expected = [*lines[:3], *lines[4:second], "</annotation>"]
    assert (folder / "a.xml").read_text(encoding="utf-8").splitlines() == expected


@pytest.mark.parametrize(
    ("verified", "opening"),
    [
        (None, "<annotation>"),
        (True, '<annotation verified="yes">'),
        (False, '<annotation verified="no">'),
    ],
)
def test_who_confirmed_the_boxes_is_written_and_read(tmp_path, verified, opening):
    path = tmp_path / "a.xml"
    voc.write(path, voc.Annotation("a.jpg", 10, 10, (), verified=verified))
    assert path.read_text().splitlines()[0] == opening
    assert voc.read(path).verified is verified
    assert voc.unconfirmed(path) == (verified is False)


def test_a_damaged_file_is_not_taken_for_a_models(tmp_path):
    assert not voc.unconfirmed(saved(tmp_path, '<annotation verified="no">'))
    assert not voc.unconfirmed(tmp_path / "gone.xml")


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, step):
    path = saved(tmp_path, "old")

    def full(self, _):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(CellCountError, match=r"a\.xml cannot be written .*No space left on device"):
        voc.write(path, voc.Annotation("a.jpg", 1, 1, ()))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


BOMB = """<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>
<annotation><filename>&y;</filename></annotation>"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "damaged"),
        (BY_LABELIMG[:400], "damaged"),
        ("<?xml version='1.0' encoding='klingon'?><annotation/>", "damaged"),
        (BOMB, "entities"),
        ("<kml/>", "<kml> instead of <annotation>"),
        (BY_LABELIMG.replace("filename>", "name>"), "has no <filename>"),
        (BY_LABELIMG.replace("<width>640</width>", ""), "has no <size/width>"),
        (BY_LABELIMG.replace("<name>Debris</name>", ""), "Box 2 has no <name>"),
        (BY_LABELIMG.replace("<ymax>44</ymax>", ""), "Box 1 has no <bndbox/ymax>"),
        (BY_LABELIMG.replace(">44<", ">many<"), "Box 1 .*many.* no number"),
        (BY_LABELIMG.replace(">44<", ">nan<"), "Box 1 .*nan.* no number"),
        (BY_LABELIMG.replace(">44<", ">1e999<"), "Box 1 .*1e999.* no number"),
    ],
)
def test_read_names_file_reason_and_cure(tmp_path, text, reason):
    with pytest.raises(CellCountError, match=rf"a\.xml: .*{reason}.*labelImg"):
        voc.read(saved(tmp_path, text))


def test_read_names_a_missing_file(tmp_path):
    with pytest.raises(CellCountError, match=r"gone\.xml: .*No such file"):
        voc.read(tmp_path / "gone.xml")


def photo(folder: Path, name: str, width: int, height: int, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (width, height)).save(folder / name, exif=exif)
    return folder / name


def labelled(folder: Path, *boxes: voc.Box, size=(100, 80), filename="a.jpg") -> Path:
    photo(folder, "a.jpg", 100, 80)
    voc.write(folder / "a.xml", voc.Annotation(filename, *size, boxes))
    return folder / "a.xml"


def test_a_folder_in_order_yields_nothing(tmp_path):
    labelled(tmp_path, voc.Box("cell", 0, 0, 100, 80), voc.Box("cell", 1, 2, 3, 4))
    photo(tmp_path, "turned.JPG", 100, 80, orientation=6)
    voc.write(tmp_path / "turned.xml", voc.Annotation("turned.JPG", 80, 100, ()))
    (tmp_path / "._a.xml").touch()
    (tmp_path / "classes.txt").touch()
    assert voc.check_folder(tmp_path) == []


@pytest.mark.parametrize(
    ("boxes", "numbers", "problem"),
    [
        ([(-1, 0, 5, 5), (0, 0, 5, 5), (0, -1, 5, 5)], "2 of its 3 boxes (number 1, 3)", "outside"),
        ([(0, 0, 100, 80), (9, 9, 101, 80)], "1 of its 2 boxes (number 2)", "outside"),
        ([(0, 0, 100, 80), (9, 9, 99, 81)], "1 of its 2 boxes (number 2)", "outside"),
        ([(9, 9, 5, 12)], "1 of its 1 boxes (number 1)", "reversed"),
        ([(9, 9, 12, 5)], "1 of its 1 boxes (number 1)", "reversed"),
        ([(9, 9, 9, 12)], "1 of its 1 boxes (number 1)", "empty"),
        ([(9, 9, 12, 9)], "1 of its 1 boxes (number 1)", "empty"),
        ([(9, 9, 9, 12)] * 7, "7 of its 7 boxes (number 1, 2, 3, 4, 5, ...)", "empty"),
    ],
)
def test_wrong_boxes_are_counted_and_numbered(tmp_path, boxes, numbers, problem):
    xml = labelled(tmp_path, *(voc.Box("cell", *corners) for corners in boxes))
    (finding,) = voc.check_folder(tmp_path)
    assert (finding.file, finding.severity) == (xml, "error")
    assert numbers in finding.problem
    assert problem in finding.problem


def test_an_xml_that_names_another_photo(tmp_path):
    xml = labelled(tmp_path, filename="b.jpg")
    (finding,) = voc.check_folder(tmp_path)
    assert finding.file == xml
    assert "b.jpg" in finding.problem
    assert "a.jpg" in finding.problem


def test_a_size_that_is_another_photos(tmp_path):
    labelled(tmp_path, size=(200, 160))
    (finding,) = voc.check_folder(tmp_path)
    assert "200 × 160" in finding.problem
    assert "100 × 80" in finding.problem
    assert "EXIF" not in finding.problem


def test_a_size_swapped_by_exif_is_told_apart(tmp_path):
    photo(tmp_path, "a.jpg", 100, 80, orientation=8)
    voc.write(tmp_path / "a.xml", voc.Annotation("a.jpg", 100, 80, ()))
    (finding,) = voc.check_folder(tmp_path)
    assert "80 × 100" in finding.problem
    assert "EXIF" in finding.problem


def test_what_has_no_partner_is_an_error_or_a_note(tmp_path):
    labelled(tmp_path)
    alone = saved(tmp_path, BY_LABELIMG, "gone.xml")
    new = photo(tmp_path, "new.png", 4, 4)
    missing, unlabelled = voc.check_folder(tmp_path)
    assert (missing.file, missing.severity) == (alone, "error")
    assert "no photo named gone" in missing.problem
    assert (unlabelled.file, unlabelled.severity) == (new, "note")


def test_two_photos_of_one_name_are_ambiguous(tmp_path):
    xml = labelled(tmp_path, filename="a.png")
    photo(tmp_path, "a.png", 100, 80)
    (finding,) = voc.check_folder(tmp_path)
    assert finding.file == xml
    assert "a.jpg and a.png" in finding.problem


def test_unreadable_files_are_findings_and_stop_nothing(tmp_path):
    labelled(tmp_path, voc.Box("cell", 5, 5, 5, 5))
    photo(tmp_path, "b.jpg", 8, 8)
    broken = saved(tmp_path, "<annotation>", "b.xml")
    (tmp_path / "c.jpg").touch()
    voc.write(tmp_path / "c.xml", voc.Annotation("c.jpg", 8, 8, ()))
    findings = voc.check_folder(tmp_path)
    assert [finding.file.name for finding in findings] == ["a.xml", "b.xml", "c.jpg"]
    assert "damaged" in str(findings[1])
    assert str(broken) in str(findings[1])
    assert "empty" in findings[2].problem


def test_a_folder_without_anything_to_check_is_an_error(tmp_path):
    with pytest.raises(CellCountError, match="neither photos nor XML"):
        voc.check_folder(tmp_path)
    with pytest.raises(CellCountError, match="no folder"):
        voc.check_folder(tmp_path / "gone")
