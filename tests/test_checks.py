"""A folder of labelled photos: what is wrong is named by file, and nothing is said of the rest."""

from pathlib import Path

import pytest
from PIL import Image

from cellcount import voc
from cellcount.checks import check_folder
from cellcount.errors import CellCountError


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
    assert check_folder(tmp_path) == []


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
    (finding,) = check_folder(tmp_path)
    assert (finding.file, finding.severity) == (xml, "error")
    assert numbers in finding.problem
    assert problem in finding.problem


def test_an_xml_that_names_another_photo(tmp_path):
    xml = labelled(tmp_path, filename="b.jpg")
    (finding,) = check_folder(tmp_path)
    assert finding.file == xml
    assert "b.jpg" in finding.problem
    assert "a.jpg" in finding.problem


def test_a_size_that_is_another_photos(tmp_path):
    labelled(tmp_path, size=(200, 160))
    (finding,) = check_folder(tmp_path)
    assert "200 × 160" in finding.problem
    assert "100 × 80" in finding.problem
    assert "EXIF" not in finding.problem


def test_a_size_swapped_by_exif_is_told_apart(tmp_path):
    photo(tmp_path, "a.jpg", 100, 80, orientation=8)
    voc.write(tmp_path / "a.xml", voc.Annotation("a.jpg", 100, 80, ()))
    (finding,) = check_folder(tmp_path)
    assert "80 × 100" in finding.problem
    assert "EXIF" in finding.problem


def test_what_has_no_partner_is_an_error_or_a_note(tmp_path):
    labelled(tmp_path)
    alone = tmp_path / "gone.xml"
    voc.write(alone, voc.Annotation("gone.jpg", 4, 4, ()))
    new = photo(tmp_path, "new.png", 4, 4)
    missing, unlabelled = check_folder(tmp_path)
    assert (missing.file, missing.severity) == (alone, "error")
    assert "no photo named gone" in missing.problem
    assert (unlabelled.file, unlabelled.severity) == (new, "note")


def test_two_photos_of_one_name_are_ambiguous(tmp_path):
    xml = labelled(tmp_path, filename="a.png")
    photo(tmp_path, "a.png", 100, 80)
    (finding,) = check_folder(tmp_path)
    assert finding.file == xml
    assert "a.jpg and a.png" in finding.problem


def test_unreadable_files_are_findings_and_stop_nothing(tmp_path):
    labelled(tmp_path, voc.Box("cell", 5, 5, 5, 5))
    photo(tmp_path, "b.jpg", 8, 8)
    broken = tmp_path / "b.xml"
    broken.write_text("<annotation>")
    (tmp_path / "c.jpg").touch()
    voc.write(tmp_path / "c.xml", voc.Annotation("c.jpg", 8, 8, ()))
    findings = check_folder(tmp_path)
    assert [finding.file.name for finding in findings] == ["a.xml", "b.xml", "c.jpg"]
    assert "damaged" in str(findings[1])
    assert str(broken) in str(findings[1])
    assert "empty" in findings[2].problem


def test_a_folder_without_anything_to_check_is_an_error(tmp_path):
    with pytest.raises(CellCountError, match="neither photos nor XML"):
        check_folder(tmp_path)
    with pytest.raises(CellCountError, match="no folder"):
        check_folder(tmp_path / "gone")
