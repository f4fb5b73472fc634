"""Pascal VOC: what is written is what labelImg writes, and nonsense is named."""

from pathlib import Path

import pytest

from cellcount.errors import CellCountError
from cellcount.labels import voc

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


@pytest.mark.parametrize(("said", "verified"), [("yes", True), ("no", False), (None, None)])
def test_verified_is_kept_as_the_file_has_it(tmp_path, said, verified):
    said = f'<annotation verified="{said}">' if said else "<annotation>"
    path = saved(tmp_path, BY_LABELIMG.replace('<annotation verified="yes">', said))
    annotation = voc.read(path)
    assert annotation.verified is verified
    voc.write(path, annotation)
    assert path.read_text(encoding="utf-8").startswith(said)
    assert voc.read(path) == annotation


def test_blanks_of_a_class_name_stay_for_the_check_to_see(tmp_path):
    text = BY_LABELIMG.replace("<name>Debris</name>", "<name> Debris  </name>")
    assert voc.read(saved(tmp_path, text)).boxes[1].label == " Debris  "


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
        (BY_LABELIMG.replace(">44<", ">1e12<"), "Box 1 .*1e12.* no number of pixels"),
    ],
)
def test_read_names_file_reason_and_cure(tmp_path, text, reason):
    with pytest.raises(CellCountError, match=rf"a\.xml: .*{reason}.*labelImg"):
        voc.read(saved(tmp_path, text))


def test_read_names_a_missing_file(tmp_path):
    with pytest.raises(CellCountError, match=r"gone\.xml: .*No such file"):
        voc.read(tmp_path / "gone.xml")
