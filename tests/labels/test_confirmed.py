"""Boxes that nobody has confirmed are not learned from and not judged by."""

import pytest
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos


@pytest.fixture
def folder(tmp_path):
    for name, verified in (("drawn", None), ("confirmed", True), ("model", False)):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.png")
        box = voc.Box("cell", 1, 2, 11, 12)
        annotation = voc.Annotation(f"{name}.png", 40, 30, (box,), verified=verified)
        voc.write(tmp_path / f"{name}.xml", annotation)
    return tmp_path


def test_line_2_of_the_walkthrough_leaves_a_models_boxes_out_and_says_so(icevision, folder, capsys):
    parser = icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    assert "1 of 3 labelled photos are left out" in capsys.readouterr().out
    (records,) = parser.parse(icevision.SingleSplitSplitter(), show_pbar=False)
    assert {record.filepath.stem for record in records} == {"drawn", "confirmed"}
    assert len(parser) == 2


def test_nothing_is_said_where_a_person_has_drawn_all(icevision, folder, capsys):
    (folder / "model.xml").unlink()
    icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
    assert capsys.readouterr().out == ""


def test_judging_leaves_them_out_too(folder, capsys):
    assert [photo.stem for photo in labelled_photos(folder)] == ["confirmed", "drawn"]
    assert capsys.readouterr().out == ""
    labelled_photos(folder, tell=True)
    assert "nobody has confirmed them" in capsys.readouterr().out


def test_folder_of_a_models_boxes_alone_is_told(icevision, folder):
    for name in ("drawn", "confirmed"):
        (folder / f"{name}.xml").unlink()
    with pytest.raises(CellCountError, match="press space"):
        labelled_photos(folder)
    with pytest.raises(CellCountError, match="press space"):
        icevision.parsers.VOCBBoxParser(annotations_dir=folder, images_dir=folder)
