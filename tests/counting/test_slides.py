"""A slide is counted as the same picture in memory is, from the copy in it that fits."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellcount.commands import main
from cellcount.counting.counter import Counter
from cellcount.counting.engines.slides import SlideEngine
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.counting.table import read_table
from cellcount.photos import photo_error
from cellcount.photos.reading import list_photos, read_photo
from cellcount.photos.view import View
from tests.conftest import ROOT
from tests.counting.test_tiles import Islands

MODEL = ROOT / "models" / "smear.pth"
PHOTO = list_photos(ROOT / "data" / "not_labeled")[0]


@pytest.fixture
def all_large(monkeypatch):
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.05)


def islands(width, height):
    rng, photo = np.random.default_rng(0), np.zeros((height, width, 3), np.uint8)
    for x, y, w, h in rng.integers([0, 0, 2, 2], [width - 24, height // 2, 24, 24], (400, 4)):
        photo[y : y + h, x : x + w] = rng.integers(60, 256)
    return photo


def pyramid(path, pixels, times=2, **options):
    options |= {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, subifds=1, **options)
        file.write(pixels[::times, ::times], subfiletype=1, **options)


class Counting(Islands):
    looks = 0

    def find(self, prepared, threshold):
        self.looks += 1
        return super().find(prepared, threshold)


def test_tiles_from_a_file_give_the_boxes_of_tiles_in_memory(tmp_path, all_large):
    """Cells on the seams of tiles, of both kinds, count once; blank tiles are looked at once."""
    photo = islands(700, 603)
    pyramid(tmp_path / "a.tif", photo)
    engine = Counting(96)
    expected = TiledEngine(Islands(96), 96).find(photo, 0.3)
    found = SlideEngine(engine, 96, View()).find(tmp_path / "a.tif", 0.3)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(found.boxes) > 50
    assert engine.looks < 80  # of 90, of which more than ten are blank


def test_the_copy_is_looked_at_that_has_the_pixels_the_detector_sees(tmp_path, all_large):
    photo = np.kron(islands(350, 302), np.ones((2, 2, 1), np.uint8))
    pyramid(tmp_path / "a.tif", photo)
    expected = TiledEngine(Islands(96), 96).find(photo[::2, ::2], 0.3)
    engine = Islands(96)
    found = SlideEngine(engine, 192, View()).find(tmp_path / "a.tif", 0.3)
    np.testing.assert_array_equal(found.boxes, 2 * expected.boxes)
    assert engine.most == 96 * 96 * 3
    engine = Islands(97)  # which sees more than the copy has
    SlideEngine(engine, 192, View()).find(tmp_path / "a.tif", 0.3)
    assert engine.most == 192 * 192 * 3


def test_empty_glass_does_not_make_a_slide_unusual(tmp_path, all_large):
    cells = islands(384, 384)
    boxes = np.array([[10, 10, 30, 30], [100, 50, 120, 70]], float)
    pyramid(tmp_path / "cells.tif", cells)
    glass = np.full((384, 3840, 3), 255, np.uint8)
    glass[:, :384] = cells
    pyramid(tmp_path / "glass.tif", glass)
    engine = SlideEngine(Islands(96), 192, View())
    alone, among = (
        engine.figures(tmp_path / name, boxes, np.ones(2)) for name in ("cells.tif", "glass.tif")
    )
    for name in ("brightness", "contrast", "crowd", "size"):
        assert among[name] == pytest.approx(alone[name], abs=0.2), name


def test_the_command_counts_a_slide_as_its_photo(tmp_path, capsys, monkeypatch):
    photo = read_photo(PHOTO)
    side = photo.shape[1] // 2
    mosaic = np.concatenate([photo, photo[:, ::-1]], 1)
    Image.fromarray(mosaic).save(tmp_path / "whole.png")
    whole = Counter(MODEL).count(tmp_path / "whole.png", tile=side)
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.05)
    folder = tmp_path / "slides"
    folder.mkdir()
    pyramid(folder / "slide.tif", mosaic, resolution=(40000, 40000), resolutionunit="CENTIMETER")
    table = tmp_path / "counts.csv"
    asked = ["count", str(MODEL), str(folder), "--out", str(table), "--tile", str(side)]
    assert main.main([*asked, "--boxes", "imagej"]) == 0
    said = capsys.readouterr().out
    (count,), failed = read_table(table)
    assert not failed and count.n == whole.n > 20 and count.tile == side
    assert count.um_per_px == 0.25
    assert (count.low, count.high) == ((None, None) if count.why else (whole.low, whole.high))
    assert f"The {len(whole.boxes)} boxes are in" in said
    picture = tmp_path / "counts-slide-density.png"
    assert str(picture) in said and Image.open(picture).width > 800
