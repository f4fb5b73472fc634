"""One bad label stops no folder: its photo is left out and named, and strict refuses as before."""

import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import ready_to_train
from cellcount.labels.confirmed import labelled_photos
from cellcount.labels.mending import mend

# As of photo 403 of a public set of blood (BCCD): one cell twice, two pixels apart.
TWICE = (voc.Box("RBC", 339, 159, 466, 262), voc.Box("RBC", 337, 157, 464, 260))


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        Image.new("RGB", (640, 480)).save(tmp_path / f"{name}.png")
        boxes = TWICE if name == "b" else TWICE[:1]
        voc.write(tmp_path / f"{name}.xml", voc.Annotation(f"{name}.png", 640, 480, boxes))
    return tmp_path


def test_the_others_are_used_and_it_is_said_once(folder, capsys):
    assert [photo.stem for photo in labelled_photos(folder)] == ["a", "c"]
    said = capsys.readouterr().out
    assert "1 of 3 labelled photos" in said
    assert f"photos in {folder}: b. " in said
    assert f"cellcount check {folder} says why, and with --fix" in said
    labelled_photos(folder)
    assert capsys.readouterr().out == ""
    ready_to_train(folder)
    assert f"photos in {folder}: b. " in capsys.readouterr().out


def test_strict_refuses_with_the_list(folder):
    for refuse in (labelled_photos, ready_to_train):
        with pytest.raises(
            CellCountError, match=r"(?s)put right .*b\.xml: .*alike: 1 and 2.*--fix"
        ):
            refuse(folder, strict=True)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "FOLDER"],
        ["crossval", "FOLDER"],
        ["evaluate", "no.pth", "FOLDER"],
        ["calibrate", "no.pth", "FOLDER", "--out", "mine.pth"],
        ["pretrain", "out.pth", "FOLDER"],
    ],
)
def test_every_command_that_learns_or_judges_can_be_strict(folder, command, capsys):
    asked = [str(folder) if word == "FOLDER" else word for word in command]
    assert main.main([*asked, "--strict"]) == 1
    assert "must be put right" in capsys.readouterr().err


def test_icevisions_parser_gets_none_of_them(icevision, folder):
    (folder / "b.xml").write_text("<annotation>")  # which would end it in a traceback
    (folder / "c.png").write_bytes((folder / "c.png").read_bytes()[:60])
    ready_to_train(folder)
    parser = icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    (records,) = parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)
    assert [record.filepath.stem for record in records] == ["a"]


def test_a_subfolder_that_the_parser_would_read_too_is_left_out(icevision, folder):
    (folder / "loop").symlink_to(".")
    (folder / "c.xml").unlink()
    (folder / "c.xml").symlink_to("c.xml")
    assert [photo.stem for photo in labelled_photos(folder)] == ["a"]
    parser = icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    assert [str(xml) for xml in parser] == [str(folder / "a.xml")]


def test_mended_photos_take_part_again(folder, icevision, capsys):
    labelled_photos(folder)
    list(mend(folder))
    assert voc.read(folder / "b.xml").boxes == TWICE[:1]
    capsys.readouterr()
    assert [photo.stem for photo in labelled_photos(folder)] == ["a", "b", "c"]
    assert capsys.readouterr().out == ""
    assert len(icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)) == 3


def test_a_folder_in_which_nothing_can_be_used_is_refused(folder):
    for name in ("a", "c"):
        (folder / f"{name}.xml").write_text("<annotation>")
    with pytest.raises(CellCountError, match=r"(?s)put right.*a\.xml.*b\.xml.*c\.xml"):
        labelled_photos(folder)


def test_the_public_blood_photos_go_on_without_the_one(capsys):
    from tests.conftest import ROOT

    blood = ROOT.parent / "shared" / "cells" / "blood"
    if not blood.is_dir():
        pytest.skip("the photos of other cells are not here: ../shared/cells is missing")
    assert len(labelled_photos(blood)) == 47
    assert "1 of 48 labelled photos" in capsys.readouterr().out
