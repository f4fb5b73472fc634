"""What was counted, as labels: in again they are the boxes that were counted, and a model's."""

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.commands.counting import SOME_FAILED
from cellcount.counting.boxes import flat_names, write_boxes
from cellcount.counting.count import Count, Number
from cellcount.counting.counter import Counter
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import check
from cellcount.labels.exchange import import_labels
from cellcount.labels.formats import WRITTEN
from cellcount.labels.writing import UNCONFIRMED
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[:2]


def drawn(xml):
    return [(b.label, b.xmin, b.ymin, b.xmax, b.ymax) for b in voc.read(xml).boxes]


@pytest.fixture
def photos(tmp_path):
    """Two of one name in two folders, and one that is cut short."""
    for day, source in zip(("monday", "tuesday"), PHOTOS, strict=True):
        (tmp_path / "photos" / day).mkdir(parents=True)
        (tmp_path / "photos" / day / "1.png").write_bytes(source.read_bytes())
    (tmp_path / "photos" / "tuesday" / "cut.png").write_bytes(source.read_bytes()[:3000])
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def truth():
    counter = Counter(MODEL)
    counts = [counter.count(photo) for photo in PHOTOS]
    assert all(len({*one.kinds}) == 2 for one in counts)
    return [
        [(kind, *box) for kind, box in zip(one.kinds, one.boxes.round().astype(int), strict=True)]
        for one in counts
    ]


@pytest.mark.parametrize("format", WRITTEN)
def test_in_again_they_are_what_was_counted(photos, tmp_path, truth, format, capsys):
    table = tmp_path / "out" / "counts.csv"
    command = ["count", str(MODEL), str(photos), "--recursive", "--out", str(table)]
    command += ["--boxes", format]
    assert main.main(command) == SOME_FAILED
    said = capsys.readouterr().out
    assert f"boxes are in {tmp_path / 'out' / 'counts-boxes'}" in said and "anew" not in said
    import_labels(tmp_path / "out" / "counts-boxes", tmp_path / "to")
    names = ["monday-1", "tuesday-1"]
    assert sorted(path.stem for path in (tmp_path / "to").glob("*.xml")) == names
    for name, source, expected in zip(names, PHOTOS, truth, strict=True):
        assert drawn(tmp_path / "to" / f"{name}.xml") == expected
        assert voc.read(tmp_path / "to" / f"{name}.xml").verified is False
        assert (tmp_path / "to" / f"{name}.png").read_bytes() == source.read_bytes()
    assert check(tmp_path / "to").errors == []


def test_photos_that_the_table_has_are_counted_anew(tmp_path, capsys):
    """With a detector of one class, whose name the boxes get."""
    model, table = ROOT / "models" / "rendered.pth", tmp_path / "counts.csv"
    photo = min((ROOT / "data" / "rendered").rglob("*.jpg"))
    counter = Counter(model)
    (label,), boxes = counter.classes, counter.count(photo).boxes.round().astype(int)
    command = ["count", str(model), str(photo), "--out", str(table)]
    assert main.main(command) == 0
    first = table.read_text("utf-8-sig")
    assert main.main([*command, "--boxes", "voc"]) == 0
    assert "All photos are counted anew" in capsys.readouterr().out
    xml = tmp_path / "counts-boxes" / "Annotations" / f"{photo.stem}.xml"
    assert drawn(xml) == [(label, *box) for box in boxes] != []
    second = table.read_text("utf-8-sig")
    assert [line.split(",")[:4] for line in first.splitlines()] == [
        line.split(",")[:4] for line in second.splitlines()
    ]


def test_boxes_that_are_there_are_told_before_the_counting(photos, tmp_path, capsys):
    table, kept = tmp_path / "counts.csv", tmp_path / "counts-boxes" / "mine.txt"
    kept.parent.mkdir()
    kept.touch()
    command = ["count", str(MODEL), str(photos / "monday"), "--out", str(table)]
    assert main.main([*command, "--boxes", "csv"]) == 1
    assert "is there already and is not replaced: move it away" in capsys.readouterr().err
    assert kept.exists() and not table.exists()


def test_only_what_counts_as_a_cell_goes_out_by_its_class(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    boxes = np.array([[1, 2, 11, 12], [20.4, 2.6, 30, 12], [40, 2, 50, 12]], dtype=float)
    count = Count.of(
        "a.png",
        boxes,
        np.array([0.9, 0.8, 0.7]),
        kinds=np.array(["red", "white", "debris"]),
        by_class={"red": None, "white": None, "debris": None},
    ).grouped({"blood": ["red", "white"]})
    assert count.by_class == {"blood": Number(2)}
    photos = {"a.png": tmp_path / "a.png"}
    assert write_boxes([count], photos, "cell", tmp_path / "out", "coco") == (1, 2, 0)
    import_labels(tmp_path / "out", tmp_path / "to")
    blood = voc.Box("blood", 1, 2, 11, 12), voc.Box("blood", 20, 3, 30, 12)
    assert voc.read(tmp_path / "to" / "a.xml").boxes == blood
    assert (tmp_path / "out" / UNCONFIRMED).is_file()
    (tmp_path / "a.png").unlink()
    with pytest.raises(CellCountError, match="cannot be read"):
        write_boxes([count], photos, "cell", tmp_path / "more", "coco")
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("format", WRITTEN)
def test_names_that_no_file_of_labels_can_hold(tmp_path, format):
    names = ["x/1.png", "x-1.jpg", "z\udce4hl.png", "10:30.png", "X-1-2.png"]
    flat = flat_names(names)
    assert [*flat.values()] == ["x-1.png", "x-1-2.jpg", "z-hl.png", "10-30.png", "X-1-2-2.png"]
    photo = tmp_path / "a.png"
    Image.new("RGB", (60, 40)).save(photo)
    counts = [
        Count(name, 1, np.array([[1, n, 11, 30]]), np.ones(1)) for n, name in enumerate(names)
    ]
    write_boxes(counts, dict.fromkeys(names, photo), "cell", tmp_path / "out", format)
    import_labels(tmp_path / "out", tmp_path / "to")
    for number, name in enumerate(flat.values()):
        xml = (tmp_path / "to" / name).with_suffix(".xml")
        assert drawn(xml) == [("cell", 1, number, 11, 30)]


def test_photos_in_one_file_are_refused_before_they_are_counted(tmp_path, capsys):
    import tifffile

    file = tmp_path / "a.tif"
    tifffile.imwrite(file, np.zeros((2, 64, 64), np.uint8), photometric="minisblack")
    command = ["count", str(MODEL), str(file), "--out", str(tmp_path / "t.csv")]
    assert main.main([*command, "--boxes", "voc"]) == 1
    assert "a.tif[P1], which is one of several photos" in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()
