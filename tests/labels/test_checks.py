"""A folder of labelled photos: what is wrong is named by file, and nothing is said of the rest."""

import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.counting.any_cell import make
from cellcount.errors import CellCountError
from cellcount.judging.crossval import cross_validate
from cellcount.labels import voc
from cellcount.labels.checks import check, ready_to_train
from cellcount.labels.confirmed import labelled_photos
from cellcount.photos.reading import photo_size
from tests.conftest import ROOT


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
    assert check(tmp_path).findings == []


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
    (finding,) = check(tmp_path).findings
    assert (finding.file, finding.severity) == (xml, "error")
    assert numbers in finding.problem
    assert problem in finding.problem


def test_an_xml_that_names_another_photo(tmp_path):
    xml = labelled(tmp_path, filename="b.jpg")
    (finding,) = check(tmp_path).findings
    assert finding.file == xml
    assert "b.jpg" in finding.problem
    assert "a.jpg" in finding.problem


def test_a_size_that_is_another_photos(tmp_path):
    labelled(tmp_path, size=(200, 160))
    (finding,) = check(tmp_path).findings
    assert "200 × 160" in finding.problem
    assert "100 × 80" in finding.problem
    assert "EXIF" not in finding.problem


def test_a_size_swapped_by_exif_is_told_apart(tmp_path):
    photo(tmp_path, "a.jpg", 100, 80, orientation=8)
    voc.write(tmp_path / "a.xml", voc.Annotation("a.jpg", 100, 80, ()))
    (finding,) = check(tmp_path).findings
    assert "80 × 100" in finding.problem
    assert "EXIF" in finding.problem


def test_what_has_no_partner_is_an_error_or_a_note(tmp_path):
    labelled(tmp_path)
    alone = tmp_path / "gone.xml"
    voc.write(alone, voc.Annotation("gone.jpg", 4, 4, ()))
    new = photo(tmp_path, "new.png", 4, 4)
    missing, unlabelled = check(tmp_path).findings
    assert (missing.file, missing.severity) == (alone, "error")
    assert "no photo named gone" in missing.problem
    assert (unlabelled.file, unlabelled.severity) == (new, "note")


def test_two_photos_of_one_name_are_ambiguous(tmp_path):
    xml = labelled(tmp_path, filename="a.png")
    photo(tmp_path, "a.png", 100, 80)
    (finding,) = check(tmp_path).findings
    assert finding.file == xml
    assert "a.jpg and a.png" in finding.problem


def test_unreadable_files_are_findings_and_stop_nothing(tmp_path):
    labelled(tmp_path, voc.Box("cell", 5, 5, 5, 5))
    photo(tmp_path, "b.jpg", 8, 8)
    broken = tmp_path / "b.xml"
    broken.write_text("<annotation>")
    (tmp_path / "c.jpg").touch()
    voc.write(tmp_path / "c.xml", voc.Annotation("c.jpg", 8, 8, ()))
    findings = check(tmp_path).findings
    assert [finding.file.name for finding in findings] == ["a.xml", "b.xml", "c.jpg"]
    assert "damaged" in str(findings[1])
    assert str(broken) in str(findings[1])
    assert "empty" in findings[2].problem


def test_a_folder_without_anything_to_check_is_an_error(tmp_path):
    with pytest.raises(CellCountError, match="neither photos nor XML"):
        check(tmp_path)
    with pytest.raises(CellCountError, match="no folder"):
        check(tmp_path / "gone")


def box(xmin, ymin, xmax, ymax, label="cell"):
    return voc.Box(label, xmin, ymin, xmax, ymax)


def test_boxes_on_one_another_are_named_in_pairs(tmp_path):
    # 20 × 20 shifted by 1: IoU 380 / 420 = 0.905; by 2: 360 / 440 = 0.82.
    boxes = [box(0, 0, 20, 20), box(50, 50, 70, 70), box(1, 0, 21, 20), box(52, 50, 72, 70)]
    labelled(tmp_path, *boxes)
    (finding,) = check(tmp_path).findings
    assert "alike: 1 and 3." in finding.problem
    assert finding.severity == "error"


def test_a_box_far_from_the_usual_length_is_a_note(tmp_path):
    usual = [box(9 * i, 0, 9 * i + 8, 8 + i % 3) for i in range(10)]
    labelled(tmp_path, *usual, box(0, 20, 72, 21), box(0, 30, 73, 31), box(0, 40, 1, 41))
    (finding,) = check(tmp_path).findings  # the median is 9: eight times as long is 72
    assert "usual: 12 (73 × 1), 13 (1 × 1)." in finding.problem
    assert finding.severity == "note"


def test_few_boxes_tell_no_usual_length(tmp_path):
    labelled(tmp_path, box(0, 0, 2, 2), box(0, 0, 99, 79), box(0, 0, 3, 3))
    assert check(tmp_path).findings == []


@pytest.mark.parametrize("other", ["Cell", "cell ", " cell", "red  cell", "red cell\n"])
def test_spellings_of_a_class_that_no_eye_tells_apart_are_errors(tmp_path, other):
    usual = "red cell" if "red" in other else "cell"
    labelled(tmp_path, *[box(9 * i, 0, 9 * i + 8, 8, usual) for i in range(4)])
    photo(tmp_path, "b.jpg", 100, 80)
    voc.write(tmp_path / "b.xml", voc.Annotation("b.jpg", 100, 80, (box(0, 0, 8, 8, other),)))
    (finding,) = check(tmp_path).findings
    assert (finding.file.name, finding.severity) == ("b.xml", "error")
    assert f'"{other}" differs from "{usual}"' in finding.problem


def test_other_classes_and_blanks_that_are_everywhere_teach_nothing_wrong(tmp_path):
    labelled(tmp_path, box(0, 0, 8, 8, "cell"), box(20, 0, 28, 8, "debris "))
    (finding,) = check(tmp_path).findings
    assert finding.severity == "note"
    assert '"debris "' in finding.problem


def test_what_nobody_confirmed_is_a_note_and_taken_for_no_truth(tmp_path):
    xml = labelled(tmp_path, box(9, 9, 9, 9, "Cell"), box(0, 0, 8, 8))
    voc.write(xml, replace(voc.read(xml), verified=False))
    (finding,) = check(tmp_path).findings
    assert (finding.file, finding.severity) == (xml, "note")
    assert "nobody has confirmed" in finding.problem
    assert "press space" in finding.cure


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif"])
def test_a_photo_cut_short_is_found_though_its_header_is_right(tmp_path, name):
    pixels = np.random.default_rng(0).integers(0, 255, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    voc.write(tmp_path / "a.xml", voc.Annotation(name, 100, 80, ()))
    assert check(tmp_path).findings == []
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    assert photo_size(tmp_path / name) == (100, 80)
    (finding,) = check(tmp_path).findings
    assert (finding.file.name, finding.severity) == (name, "error")
    assert "cut short or damaged" in finding.problem


def test_a_file_of_several_photos_is_an_error_as_it_is_unclear_which_is_labelled(tmp_path):
    pages = [Image.new("L", (8, 8)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    voc.write(tmp_path / "a.xml", voc.Annotation("a.tif", 8, 8, ()))
    (finding,) = check(tmp_path).findings
    assert finding.severity == "error"
    assert "holds 3 pages, each of them a photo" in finding.problem


def test_xml_in_subfolders_which_icevision_reads_too_is_an_error(tmp_path, icevision):
    labelled(tmp_path, box(0, 0, 8, 8))
    inner = tmp_path / "old"
    inner.mkdir()
    shutil.copy(tmp_path / "a.xml", inner)
    (finding,) = check(tmp_path).findings
    assert (finding.file, finding.severity) == (inner, "error")
    parser = icevision.parsers.VOCBBoxParser(annotations_dir=tmp_path, images_dir=tmp_path)
    assert len(parser) == 2, "if IceVision no longer looks there, neither need the check"


def test_command_says_what_is_wrong_and_last_what_is_good(tmp_path, capsys):
    labelled(tmp_path, box(0, 0, 8, 8), box(20, 0, 28, 8))
    photo(tmp_path, "b.jpg", 100, 80)
    voc.write(tmp_path / "b.xml", voc.Annotation("b.jpg", 100, 80, (box(9, 9, 9, 9),)))
    photo(tmp_path, "c.jpg", 100, 80)
    assert main.main(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        str(tmp_path / "b.xml"),
        "  error: 1 of its 1 boxes (number 1) are empty, without width or height. "
        "Draw them again in labelImg and save.",
    ]
    assert lines[-1] == (
        "1 of 2 labelled photos, with 2 boxes, are good to learn from (errors: 1, notes: 1)."
    )
    (tmp_path / "b.xml").unlink()
    assert main.main(["check", str(tmp_path)]) == 0


def test_training_and_judging_refuse_with_the_list(tmp_path, capsys):
    xml = labelled(tmp_path, box(0, 0, 8, 8))
    photo(tmp_path, "c.jpg", 100, 80)
    ready_to_train(tmp_path)
    assert "c.jpg: The photo has no XML" in capsys.readouterr().out
    voc.write(xml, voc.Annotation("a.jpg", 100, 80, (box(9, 9, 9, 9), box(20, 8, 8, 19))))
    for refuse in (
        lambda: ready_to_train(tmp_path),
        lambda: labelled_photos(tmp_path),
        lambda: cross_validate(tmp_path, folds=2),
        lambda: make(tmp_path / "out.pth", [tmp_path], epochs=1, seed=0),
    ):
        with pytest.raises(CellCountError, match=r"(?s)put right .*reversed.*empty.*--fix"):
            refuse()


def test_the_notebook_refuses_too():
    notebook = nbformat.read(ROOT / "train.ipynb", as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    checked = sources.index("cc.ready_to_train(photos)")
    assert not any("VOCBBoxParser" in source for source in sources[:checked])
    assert any("VOCBBoxParser" in source for source in sources[checked:])


def test_bundled_and_real_photos_are_in_order(real_photos):
    for folder in (ROOT / "data" / "labeled", ROOT / "data" / "rendered", real_photos):
        assert check(folder).findings == []


def test_cells_named_as_the_background_are_an_error(tmp_path):
    labelled(tmp_path, box(0, 0, 20, 20, "background"), box(30, 30, 50, 50))
    (finding,) = check(tmp_path).errors
    assert "what is no cell" in finding.problem
