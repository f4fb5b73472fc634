"""Every format comes in as it was drawn, and goes out and in again as it came."""

import shutil
from dataclasses import replace

import pytest

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos
from cellcount.labels.exchange import export_labels, import_labels
from cellcount.labels.formats import FORMATS, WRITTEN
from cellcount.labels.sources import detected
from cellcount.labels.writing import UNCONFIRMED, boxed, write_labels
from tests.labels.formats.samples import CELLS, CORNERS, NAMED, NAMELESS, SIZE, photo

NAMES = ("labels", "instances_default", "data")  # of files for all photos together


def brought(make, tmp_path, **more):
    photo(tmp_path / "in")
    make(tmp_path / "in")
    import_labels(tmp_path / "in", tmp_path / "to", **more)
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.png", "a.xml"]
    return voc.read(tmp_path / "to" / "a.xml")


def drawn(annotation):
    """Without marks, which labelImg gives to cells at the rim and few formats have."""
    return [(b.label, b.xmin, b.ymin, b.xmax, b.ymax) for b in annotation.boxes]


@pytest.mark.parametrize("make", NAMED)
def test_boxes_and_classes_are_exact(tmp_path, make):
    annotation = brought(make, tmp_path)
    assert (annotation.filename, annotation.width, annotation.height) == ("a.png", *SIZE)
    assert drawn(annotation) == CORNERS
    assert annotation.verified is None


@pytest.mark.parametrize("make", NAMELESS)
def test_boxes_of_what_has_no_classes_are_exact(tmp_path, make):
    nuclei = tuple(replace(cell, label="nucleus") for cell in CELLS)
    assert brought(make, tmp_path, label="nucleus") == voc.Annotation("a.png", *SIZE, nuclei)


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("make", (*NAMED, *NAMELESS))
def test_out_and_in_again_is_the_same(tmp_path, make, format):
    before = brought(make, tmp_path)
    export_labels(tmp_path / "to", tmp_path / "out", format)
    import_labels(tmp_path / "out", tmp_path / "back")
    assert drawn(voc.read(tmp_path / "back" / "a.xml")) == drawn(before)


def test_every_format_has_a_sample(tmp_path):
    found = set()
    for make in (*NAMED, *NAMELESS):
        folder = tmp_path / make.__name__
        folder.mkdir()
        make(folder)
        module, _ = detected(folder, None)
        found.add(module.__name__.rpartition(".")[2])
    assert found == set(FORMATS)


@pytest.mark.parametrize("format", WRITTEN)
def test_what_a_detector_found_is_written_too(tmp_path, format):
    labels, corners = [one[0] for one in CORNERS], [one[1:] for one in CORNERS]
    one = boxed(photo(tmp_path), corners, labels)
    assert one.annotation == voc.Annotation("a.png", *SIZE, CELLS, verified=False)
    assert write_labels([one], tmp_path / "out", format) == (1, 3, 0)
    import_labels(tmp_path / "out", tmp_path / "back")
    back = voc.read(tmp_path / "back" / "a.xml")
    assert (back.boxes, back.verified) == (CELLS, False)
    # Once a person has checked them, and taken away what says otherwise, they are the person's.
    if format != "voc":
        (tmp_path / "out" / UNCONFIRMED).unlink()
        import_labels(tmp_path / "out", tmp_path / "mine")
        assert voc.read(tmp_path / "mine" / "a.xml").verified is None


@pytest.mark.parametrize("format", WRITTEN)
def test_what_a_model_drew_stays_unconfirmed_out_of_a_zip_or_a_file_alone(tmp_path, format, capsys):
    one = boxed(photo(tmp_path), [one[1:] for one in CORNERS], [one[0] for one in CORNERS])
    write_labels([one], tmp_path / "out", format)
    zipped = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.stem in ("a", *NAMES)]
    texts = [path for path in files if path.is_file() and path.suffix != ".png"]
    alone = min(texts, key=lambda path: len(path.parts))
    (tmp_path / "to").mkdir()
    photo(tmp_path / "to")
    for source in (zipped, alone):
        import_labels(source, tmp_path / "to")
        assert voc.read(tmp_path / "to" / "a.xml").verified is False
        (tmp_path / "to" / "a.xml").unlink()
        assert (UNCONFIRMED in capsys.readouterr().out) == (format != "voc")
    with pytest.raises(CellCountError, match="only a model has drawn boxes"):
        import_labels(zipped, tmp_path / "to")
        labelled_photos(tmp_path / "to")


def test_a_detectors_boxes_are_whole_pixels_of_the_photo(tmp_path):
    corners = [(0.5, 1.5, 7.49, 8.51), (-3, 90.2, 203.7, 104)]
    boxes = boxed(photo(tmp_path), corners, "ab").annotation.boxes
    assert boxes == (voc.Box("a", 0, 2, 7, 9), voc.Box("b", 0, 90, 200, 100))
