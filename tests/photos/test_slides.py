"""Photos too large for memory: rectangles of them are what the whole photo has there."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellcount.photos import photo_error
from cellcount.photos.reading import (
    LargePhotoError,
    PhotoError,
    opened_slide,
    photo_size,
    photos_in,
    pixel_size,
    read_photo,
)
from cellcount.photos.view import View
from tests.photos.test_bad_files import set_tag

rng = np.random.default_rng(0)
HEIGHT, WIDTH = 330, 275
GREY = np.kron(rng.integers(20, 250, (33, 25)), np.ones((10, 11))).astype(np.uint8)
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
DEEP = GREY.astype(np.uint16) * 16
EMPTY = np.zeros_like(GREY)


def pyramid(path):
    with tifffile.TiffWriter(path, ome=True) as file:
        options = {"tile": (32, 48), "photometric": "rgb", "compression": "zlib"}
        said = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
        file.write(RGB, subifds=2, metadata=said, **options)
        file.write(RGB[::2, ::2], subfiletype=1, **options)
        file.write(RGB[::4, ::4], subfiletype=1, **options)


def written(pixels, **options):
    return lambda path: tifffile.imwrite(path, pixels, **options)


KINDS = {
    "pyramid.ome.tif": pyramid,
    "16 bits.tif": written(DEEP, tile=(64, 64), compression="zlib"),
    "16 bits, as they are.tif": written(DEEP, byteorder=">"),
    "strips.tif": written(DEEP, rowsperstrip=7, compression="zlib"),
    "strips as they are.tif": written(RGB, rowsperstrip=7),
    "planes.tif": written(
        np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate", tile=(32, 32)
    ),
    "planes, in one piece.tif": written(
        np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"
    ),
    "JPEG.tif": written(RGB, photometric="ycbcr", compression="jpeg", tile=(48, 32)),
    "RGBA.tif": written(
        np.dstack([RGB, GREY]), photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64)
    ),
    "floats.tif": written((GREY / 255).astype(np.float32), tile=(64, 64)),
    "phase.tif": written((GREY / 255 - 0.5).astype(np.float32), tile=(64, 64)),
    "in red.tif": written(np.dstack([GREY, EMPTY, EMPTY]), photometric="rgb", tile=(64, 64)),
    "first channel empty.ome.tif": written(
        np.stack([EMPTY, GREY]), metadata={"axes": "CYX"}, tile=(64, 64), photometric="minisblack"
    ),
    "sharp second.ome.tif": written(
        np.stack([GREY // 8, GREY]), metadata={"axes": "ZYX"}, tile=(64, 64)
    ),
    "inverted.tif": written(255 - GREY, photometric="miniswhite", tile=(64, 64)),
}
for turn in range(2, 9):
    KINDS[f"turned {turn}.tif"] = written(
        DEEP, tile=(64, 64), compression="zlib", extratags=[(274, 3, 1, turn, True)]
    )
WINDOWS = [(0, 330, 0, 275), (0, 1, 0, 1), (31, 97, 40, 240), (250, 275, 200, 275)]


@pytest.fixture
def all_large(monkeypatch):
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.01)


@pytest.mark.parametrize("name", KINDS)
def test_a_rectangle_is_what_the_whole_photo_has_there(tmp_path, name, monkeypatch):
    path = tmp_path / name
    KINDS[name](path)
    whole = read_photo(path)
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.01)
    assert photo_size(path) == whole.shape[1::-1]
    assert photos_in(path) == [path]
    with pytest.raises(LargePhotoError):
        read_photo(path)
    with opened_slide(path) as slide:
        assert slide.shape == whole.shape
        for top, bottom, left, right in WINDOWS:
            window = slice(top, min(bottom, len(whole))), slice(left, min(right, whole.shape[1]))
            np.testing.assert_array_equal(slide[window], whole[window])


def test_the_copy_that_fits_the_scale_is_taken(tmp_path, all_large):
    pyramid(tmp_path / "a.ome.tif")
    assert pixel_size(tmp_path / "a.ome.tif") == 0.5
    with opened_slide(tmp_path / "a.ome.tif") as slide:
        shapes = [slide.level(most).shape for most in (0.5, 1, 1.9, 2, 3.9, 4, 100)]
        assert [shape[0] for shape in shapes] == [330, 330, 330, 165, 165, 83, 83]
        quarter = slide.level(4)
        np.testing.assert_array_equal(quarter[0:83, 0:69], RGB[::4, ::4])


@pytest.mark.parametrize("name", ["pyramid.ome.tif", "16 bits.tif", "strips.tif"])
def test_a_thumbnail_shows_all_of_it(tmp_path, name, monkeypatch):
    path = tmp_path / name
    KINDS[name](path)
    whole = Image.fromarray(read_photo(path))
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.01)
    small = read_photo(path, shrink_to=110)
    assert small.shape == (110, 92, 3)
    expected = np.asarray(whole.resize((92, 110), Image.Resampling.BOX), dtype=int)
    assert np.abs(small - expected).mean() < 12


def test_channels_and_slices_are_chosen_as_of_other_photos(tmp_path, all_large):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, np.stack([GREY, GREY[::-1]]), metadata={"axes": "CYX"}, photometric="minisblack"
    )
    with pytest.raises(PhotoError, match="several channels"), opened_slide(path):
        pass
    with opened_slide(path, View(channel=2)) as slide:
        assert (slide[0:330, 0:275][..., 0] == GREY[::-1]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "rowsperstrip": HEIGHT},
        {"compression": "jpeg", "photometric": "minisblack", "rowsperstrip": HEIGHT},
        {"photometric": "miniswhite", "tile": (64, 64)},
    ],
    ids=["one strip", "one JPEG", "inverted"],
)
def test_what_cannot_be_read_in_parts_says_what_can(tmp_path, all_large, options, monkeypatch):
    monkeypatch.setattr("cellcount.photos.tiff_parts._MOST_BYTES", 50_000)
    deep = options.get("compression") != "jpeg"
    tifffile.imwrite(tmp_path / "a.tif", DEEP if deep else GREY, **options)
    with pytest.raises(PhotoError, match=r"0\.01 megapixels.*Save it as a tiled TIFF"):
        photo_size(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_large_pictures_are_to_be_saved_as_tiled_tiff(tmp_path, all_large, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a{suffix}")
    with pytest.raises(PhotoError, match="Save it as a tiled TIFF"):
        read_photo(tmp_path / f"a{suffix}")
    with pytest.raises(PhotoError), opened_slide(tmp_path / f"a{suffix}"):
        pass


def test_a_damaged_tile_is_told_and_other_errors_are_left_alone(tmp_path, all_large):
    path = tmp_path / "a.tif"
    KINDS["16 bits.tif"](path)
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].dataoffsets[-1]
    content = bytearray(path.read_bytes())
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="cut short or damaged"), opened_slide(path) as slide:
        slide[0:HEIGHT, 0:WIDTH]
    KINDS["16 bits.tif"](path)
    with pytest.raises(KeyError), opened_slide(path):
        raise KeyError


@pytest.mark.parametrize(
    ("tag", "value", "problem"),
    [
        (256, 4_000_000_000, "megapixels, or claims so"),  # width
        (257, 1_000_000, "cut short"),  # height, for which there are too few tiles
        (322, 1 << 30, "megapixels, or claims so|cut short"),  # width of a tile
        (325, 0, "cut short|damaged"),
    ],
)
def test_absurd_sizes_take_no_memory(tmp_path, tag, value, problem, all_large):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, tile=(256, 288), compression="zlib")
    content = bytearray(path.read_bytes())
    set_tag(content, tag, value)
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=problem), opened_slide(path) as slide:
        slide[0:10, 0:10]
