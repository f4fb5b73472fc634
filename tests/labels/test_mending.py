"""Labels are mended where nothing has to be guessed; the originals are kept, and twice is once."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labels import mending, voc
from cellcount.labels.checks import check
from cellcount.labels.mending import mend


def box(xmin, ymin, xmax, ymax, label="cell"):
    return voc.Box(label, xmin, ymin, xmax, ymax)


def labelled(folder, *boxes, name="a", size=(100, 80), filename=None, turned=False):
    """A photo of 100 × 80 pixels upright, and its labels."""
    exif = Image.Exif()
    exif[274] = 6 if turned else 1
    stored = (80, 100) if turned else (100, 80)
    Image.new("RGB", stored).save(folder / f"{name}.jpg", exif=exif)
    label = voc.Annotation(filename or f"{name}.jpg", *size, boxes)
    voc.write(folder / f"{name}.xml", label)
    return folder / f"{name}.xml"


GOOD = [box(9 * i, 40, 9 * i + 8, 50) for i in range(5)]
KEEP_BOXES = tuple(GOOD)


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (box(20, 30, 9, 10), box(9, 10, 20, 30), "Box 6 was reversed"),
        (box(9, 30, 20, 10), box(9, 10, 20, 30), "Box 6 was reversed"),
        (box(-4, 3, 20, 10), box(0, 3, 20, 10), "Box 6 stuck out"),
        (box(90, 70, 104, 83), box(90, 70, 100, 80), "Box 6 stuck out"),
        (box(104, 83, 90, 70), box(90, 70, 100, 80), "Box 6 stuck out"),
        (box(0, 0, 9, 9, " Cell "), box(0, 0, 9, 9), 'The class name " Cell " is now "cell"'),
        (box(0, 0, 9, 9, "red  dot"), box(0, 0, 9, 9, "red dot"), 'is now "red dot"'),
        (replace(GOOD[3], difficult=True), None, "Box 6 lay on box 4"),
        (replace(GOOD[3], label="CELL"), None, "Box 6 lay on box 4"),
    ],
)
def test_a_wrong_box_is_mended_and_the_rest_is_left(tmp_path, wrong, right, said):
    xml = labelled(tmp_path, *GOOD, wrong)
    done = list(mend(tmp_path))
    assert any(said in sentence for sentence in done)
    assert voc.read(xml).boxes == KEEP_BOXES + ((right,) if right else ())
    assert check(tmp_path).findings == []


@pytest.mark.parametrize(
    "boxes",
    [
        (box(9, 9, 9, 20),),  # empty
        (box(95, 5, 120, 20),),  # mostly outside
        (box(200, 5, 220, 20),),  # altogether
        (replace(GOOD[3], label="debris"),),  # which of the two is it?
        (box(0, 0, 9, 9, "Cell"), box(20, 0, 29, 9, "Cell")),  # 5 to 2
    ],
)
def test_what_would_be_guessed_is_left_to_the_person(tmp_path, boxes):
    xml = labelled(tmp_path, *GOOD, *boxes)
    before = xml.read_bytes()
    assert check(tmp_path).findings != []
    assert list(mend(tmp_path)) == []
    assert xml.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_photos_name_is_mended_unless_another_photo_bears_it(tmp_path):
    xml = labelled(tmp_path, *GOOD, filename="IMG_1.jpg")
    assert "IMG_1.jpg, and is a.jpg" in list(mend(tmp_path))[1]
    assert voc.read(xml).filename == "a.jpg"
    other = labelled(tmp_path, *GOOD, name="b", filename="a.jpg")
    assert list(mend(tmp_path)) == []
    labelled(tmp_path, *GOOD, name="b", size=(50, 40), filename="c.jpg")  # of another photo
    assert list(mend(tmp_path)) == []
    assert voc.read(other).filename == "c.jpg"


@pytest.mark.parametrize("turned", [True, False])
def test_a_swapped_size_is_mended_if_a_box_says_which_way_is_up(tmp_path, turned):
    xml = labelled(tmp_path, *GOOD, box(80, 0, 99, 20), size=(80, 100), turned=turned)
    (_, said) = mend(tmp_path)
    assert "<size> was 80 × 100, and is 100 × 80" in said
    assert (voc.read(xml).width, voc.read(xml).height) == (100, 80)
    assert check(tmp_path).findings == []


def test_a_swapped_size_is_left_if_the_boxes_fit_both_ways_or_only_the_wrong_one(tmp_path):
    labelled(tmp_path, *GOOD, size=(80, 100), turned=True)
    labelled(tmp_path, *GOOD, box(5, 70, 9, 99), name="b", size=(80, 100), turned=True)
    assert list(mend(tmp_path)) == []
    assert {finding.file.name for finding in check(tmp_path).findings} == {"a.xml", "b.xml"}


def test_what_a_model_drew_is_not_touched(tmp_path):
    xml = labelled(tmp_path, *GOOD, box(20, 30, 9, 10))
    voc.write(xml, replace(voc.read(xml), verified=False))
    assert list(mend(tmp_path)) == []


def test_verified_truncated_and_difficult_are_kept(tmp_path):
    marked = replace(box(20, 30, 9, 10), truncated=True, difficult=True)
    xml = labelled(tmp_path, marked)
    voc.write(xml, replace(voc.read(xml), verified=True))
    list(mend(tmp_path))
    assert voc.read(xml) == voc.Annotation(
        "a.jpg", 100, 80, (replace(box(9, 10, 20, 30), truncated=True, difficult=True),), True
    )


def test_originals_are_kept_in_a_zip_each_time(tmp_path):
    xml = labelled(tmp_path, *GOOD, box(20, 30, 9, 10))
    whole = labelled(tmp_path, *GOOD, name="b")
    first, untouched = xml.read_bytes(), whole.read_bytes()
    kept = Path(next(mend(tmp_path)).split(": ")[0])
    assert xml.read_bytes() == first, "kept before anything changes"
    list(mend(tmp_path))
    voc.write(xml, voc.Annotation("a.jpg", 100, 80, (box(9, 20, 5, 40),)))
    second = xml.read_bytes()
    again = Path(next(iter(list(mend(tmp_path)))).split(": ")[0])
    zips = sorted(tmp_path.glob("before-check-*.zip"))
    assert {kept, again} <= set(zips)
    with zipfile.ZipFile(kept) as archive:
        assert archive.namelist() == ["a.xml"]
        assert archive.read("a.xml") == first
    with zipfile.ZipFile(again) as archive:
        assert archive.read("a.xml") == second
    assert whole.read_bytes() == untouched


def test_nothing_changes_where_no_copy_can_be_kept(tmp_path, monkeypatch):
    xml = labelled(tmp_path, box(20, 30, 9, 10))
    before = xml.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mending.zipfile, "ZipFile", full)
    with pytest.raises(CellCountError, match=r"No space left on device.*nothing was changed"):
        list(mend(tmp_path))
    assert xml.read_bytes() == before


def test_command_mends_tells_and_has_nothing_left_to_do(tmp_path, capsys):
    labelled(tmp_path, *GOOD, box(20, 30, 9, 10), filename="x.jpg")
    assert main.main(["check", str(tmp_path)]) == 1
    assert "--fix mends 1 of these files" in capsys.readouterr().out
    assert main.main(["check", str(tmp_path), "--fix"]) == 0
    said = capsys.readouterr().out
    assert "keeps the 1 XML as they were" in said
    assert "Box 6 was reversed" in said
    assert "<filename> was x.jpg" in said
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main.main(["check", str(tmp_path), "--fix"]) == 0
    assert "keeps" not in capsys.readouterr().out
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_mending_a_mess_twice_is_mending_it_once(tmp_path):
    """Boxes, names and sizes at random, many of them wrong in several ways at once."""
    rng = np.random.default_rng(3)
    labels = ["cell", "cell ", "Cell", "debris", "DEBRIS"]
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in "abc":
            corners = rng.integers(-15, [115, 95, 115, 95], (int(rng.integers(2, 12)), 4))
            corners = np.vstack([corners, corners[:2] + rng.integers(0, 2, (2, 4))])
            chosen = rng.choice(labels, len(corners), p=[0.7, 0.1, 0.1, 0.05, 0.05])
            boxes = [
                box(*c, label=str(label)) for c, label in zip(corners.tolist(), chosen, strict=True)
            ]
            size = (100, 80) if rng.random() < 0.6 else (80, 100)
            filename = str(rng.choice(["a.jpg", "b.jpg", "c.jpg", "d.jpg"]))
            labelled(folder, *boxes, name=name, size=size, filename=filename, turned=name == "b")
        before = len(check(folder).findings)
        done = list(mend(folder))
        assert done
        assert len(check(folder).findings) <= before
        assert list(mend(folder)) == []


def test_spellings_are_counted_once_doubles_are_gone(tmp_path):
    """Seven to two is no clear majority, seven to one is: else a second run would find more."""
    good = [box(12 * i, 40, 12 * i + 9, 50) for i in range(7)]
    xml = labelled(tmp_path, *good, box(0, 0, 9, 9, "Cell"), box(0, 0, 9, 9, "Cell"))
    assert len(list(mend(tmp_path))) == 3
    assert voc.read(xml).boxes == (*good, box(0, 0, 9, 9))
    assert list(mend(tmp_path)) == []
