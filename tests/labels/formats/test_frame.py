"""Photos that EXIF turns, as ImageJ and QuPath see them: Pillow turns the pixels, we the boxes."""

import json

import numpy as np
import pytest
import roifile
from PIL import Image, ImageOps

from cellcount.labels import voc
from cellcount.labels.exchange import import_labels
from cellcount.labels.formats.frame import stored, upright
from cellcount.labels.writing import boxed, write_labels

STORED = (130, 20, 150, 50)  # of a white cell, in the pixels as they are stored
TURNS = range(1, 9)


def white(pixels):
    """Bounds of the bright part."""
    rows, columns = np.nonzero(np.asarray(pixels.convert("L")) > 127)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def turned(path, turn):
    """A photo with one cell; where that lies on the upright photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, exif = Image.new("RGB", (200, 100)), Image.Exif()
    image.paste("white", STORED)
    exif[274] = turn
    image.save(path, exif=exif)
    with Image.open(path) as saved:
        return white(ImageOps.exif_transpose(saved))


@pytest.mark.parametrize("turn", TURNS)
def test_a_box_is_turned_as_the_pixels_are(tmp_path, turn):
    there = turned(tmp_path / "a.png", turn)
    size = (100, 200) if turn >= 5 else (200, 100)
    assert upright(STORED, turn, size) == there
    assert stored(there, turn, size) == STORED


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("format", ["imagej", "qupath"])
def test_what_was_drawn_on_the_stored_pixels_comes_in_upright_and_goes_out_again(
    tmp_path, turn, format
):
    left, top, right, bottom = STORED
    there = turned(tmp_path / "in" / "a.jpg", turn)
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    if format == "imagej":
        sides = {"left": left, "top": top, "right": right, "bottom": bottom}
        region = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, version=227, **sides)
        region.tofile(tmp_path / "in" / "a.roi")
    else:
        feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
        (tmp_path / "in" / "a.geojson").write_text(json.dumps(feature))
    import_labels(tmp_path / "in", tmp_path / "to")
    (found,) = voc.read(tmp_path / "to" / "a.xml").boxes
    assert (found.xmin, found.ymin, found.xmax, found.ymax) == there
    write_labels([boxed(tmp_path / "to" / "a.jpg", [there], ["cell"])], tmp_path / "out", format)
    if format == "imagej":
        (region,) = roifile.roiread(tmp_path / "out" / "a.zip")
        assert (region.left, region.top, region.right, region.bottom) == STORED
    else:
        content = json.loads((tmp_path / "out" / "a.geojson").read_text())
        assert content["features"][0]["geometry"]["coordinates"] == [ring]


def test_regions_beyond_the_whole_numbers_of_imagej(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("1", (70_020, 10)).save(tmp_path / "in" / "a.png")
    cells = [(70_000, 2, 70_010, 8), (3, 2, 5, 8)]
    write_labels([boxed(tmp_path / "in" / "a.png", cells, "ab")], tmp_path / "out", "imagej")
    first, second = roifile.roiread(tmp_path / "out" / "a.zip")
    assert (first.xd, first.yd, first.widthd, first.heightd) == (70_000, 2, 10, 6)
    assert (second.left, second.top, second.right, second.bottom) == cells[1]
    import_labels(tmp_path / "out", tmp_path / "to")
    found = voc.read(tmp_path / "to" / "a.xml").boxes
    assert [(b.xmin, b.ymin, b.xmax, b.ymax) for b in found] == cells
