"""Channel, slice, time and scene: what is taken of a file that holds several pictures."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from cellcount.errors import CellCountError
from cellcount.photos.colour import uncoloured
from cellcount.photos.reading import PhotoError, photo_size, photos_in, pixel_size, read_photo
from cellcount.photos.view import View

rng = np.random.default_rng(3)


def picture(brightest=255, shape=(20, 30)):
    smooth = gaussian_filter(rng.random(shape), 1)
    return np.round(brightest * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


DAPI, FITC, THIRD = picture(), picture(250), picture(200)
NAMED = {"Channel": {"Name": ["DAPI", "488 FITC"]}}


def ome(path, pictures, axes, **said):
    stacked = np.stack(pictures)
    tifffile.imwrite(
        path, stacked, ome=True, photometric="minisblack", metadata={"axes": axes} | said
    )
    return path


def grey(path, view=None):
    photo = read_photo(path, view=view or View())
    assert (np.ptp(photo, axis=2) == 0).all()
    return photo[..., 0]


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("DAPI", DAPI), ("dapi", DAPI), ("1", DAPI), (1, DAPI), ("488 FITC", FITC), (2, FITC)],
)
def test_a_channel_is_taken_by_name_or_number(tmp_path, channel, expected):
    path = ome(tmp_path / "a.tif", [DAPI, FITC], "CYX", **NAMED)
    assert (grey(path, View(channel)) == expected).all()


def test_where_nobody_has_said_which_channel_the_error_names_them(tmp_path):
    path = ome(tmp_path / "a.tif", [DAPI, FITC], "CYX", **NAMED)
    with pytest.raises(PhotoError, match=r"1 DAPI, 2 488 FITC.*--channel DAPI"):
        read_photo(path)
    assert photo_size(path) == (30, 20)
    with pytest.raises(PhotoError, match=r"no channel Cy5\. It has 1 DAPI, 2 488 FITC\."):
        read_photo(path, view=View("Cy5"))
    tifffile.imwrite(path, np.stack([DAPI, FITC, THIRD]), imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(PhotoError, match=r"1, 2, 3, .*--channel 1"):
        read_photo(path)


def test_imagejs_labels_name_channels(tmp_path):
    said = {"axes": "ZCYX", "Labels": ["DAPI", "FITC", "DAPI", "FITC"]}
    stack = np.stack([np.stack([DAPI, FITC])] * 2)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata=said)
    assert (grey(tmp_path / "a.tif", View("FITC")) == FITC).all()


def test_channels_in_one_page_are_channels_too(tmp_path):
    for planar, data in {
        "contig": np.dstack([DAPI, FITC]),
        "separate": np.stack([DAPI, FITC]),
    }.items():
        path = tmp_path / f"{planar}.tif"
        tifffile.imwrite(path, data, photometric="minisblack", planarconfig=planar)
        assert (grey(path, View(2)) == FITC).all()
        with pytest.raises(PhotoError, match="several channels"):
            read_photo(path)


def test_a_file_of_one_channel_is_that_channel(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DAPI)
    for view in (View("DAPI"), View(1)):
        assert (grey(tmp_path / "a.tif", view) == DAPI).all()
    with pytest.raises(PhotoError, match="no channel 2"):
        read_photo(tmp_path / "a.tif", view=View(2))
    ome(tmp_path / "b.tif", [DAPI], "CYX", Channel={"Name": ["DAPI"]})
    with pytest.raises(PhotoError, match="It has 1 DAPI"):
        read_photo(tmp_path / "b.tif", view=View("FITC"))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_of_a_photo_in_colour_red_green_and_blue_are_the_channels(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.dstack([DAPI, FITC, THIRD])).save(path)
    for channels in ({"red": DAPI, "Green": FITC, "blue": THIRD}, {1: DAPI, "3": THIRD}):
        for channel, expected in channels.items():
            assert (grey(path, View(channel)) == expected).all()
    with pytest.raises(PhotoError, match="in colour and has no channel DAPI"):
        read_photo(path, view=View("DAPI"))


def test_the_brightest_the_sharpest_or_one_slice(tmp_path):
    blurred = gaussian_filter(DAPI, 3)
    path = ome(tmp_path / "a.tif", [blurred, DAPI, FITC // 9], "ZYX")
    assert (grey(path) == DAPI).all()
    assert (grey(path, View(z="sharpest")) == DAPI).all()
    assert (grey(path, View(z="max")) == np.max([blurred, DAPI, FITC // 9], axis=0)).all()
    assert (grey(path, View(z=3)) == FITC // 9).all()
    assert (grey(path, View(z="1")) == blurred).all()
    with pytest.raises(PhotoError, match=r"no slice 4: there are 3\."):
        read_photo(path, view=View(z=4))
    for wrong in ("mean", 0, "-1", 1.5):
        with pytest.raises(CellCountError, match="give max, sharpest, or the number"):
            View(z=wrong)


def test_noise_is_not_sharp(tmp_path):
    noisy = gaussian_filter(DAPI, 3) + rng.integers(0, 12, DAPI.shape).astype(np.uint8)
    path = ome(tmp_path / "a.tif", [noisy, DAPI // 2], "ZYX")
    assert (grey(path) == DAPI // 2).all()


def test_times_and_scenes_are_photos_with_names_of_their_own(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as file:
        for first in (DAPI, FITC):
            file.write(
                np.stack([np.stack([first, THIRD]), np.stack([THIRD, first])]),
                photometric="minisblack",
                metadata={"axes": "TCYX", **NAMED, "PhysicalSizeX": 0.5},
            )
        file.write(DAPI[:10])
    names = ["[T1,S1]", "[T2,S1]", "[T1,S2]", "[T2,S2]", "[S3]"]
    photos = photos_in(path)
    assert photos == [tmp_path / f"a.ome.tif{name}" for name in names]
    assert photos_in(photos[1]) == [photos[1]]
    shown = [grey(photo, View(1 if number == 4 else "DAPI")) for number, photo in enumerate(photos)]
    for photo, expected in zip(shown, [DAPI, THIRD, FITC, THIRD, DAPI[:10]], strict=True):
        assert (photo == expected).all()
    assert photo_size(photos[4]) == (30, 10)
    assert pixel_size(photos[0]) == 0.5
    for ask in (read_photo, photo_size):
        with pytest.raises(PhotoError, match=r"3 scenes, each of them .*a\.ome\.tif\[T1,S1\]"):
            ask(path)
        with pytest.raises(PhotoError, match="no 4 scenes in it, but 3"):
            ask(tmp_path / "a.ome.tif[S4]")


def test_pages_that_nothing_is_said_of_are_photos_unless_a_view_takes_them_for_more(tmp_path):
    path = tmp_path / "a.tif"
    first, second = Image.fromarray(DAPI), Image.fromarray(FITC)
    first.save(path, save_all=True, append_images=[second])
    assert photos_in(path) == [tmp_path / "a.tif[P1]", tmp_path / "a.tif[P2]"]
    assert (grey(tmp_path / "a.tif[P2]") == FITC).all()
    with pytest.raises(PhotoError, match=r"holds 2 pages.*a\.tif\[P1\]"):
        read_photo(path)
    assert photos_in(path, View(z="max")) == [path]
    assert (grey(path, View(z="max")) == np.maximum(DAPI, FITC)).all()
    assert photos_in(path, View(2)) == [path]
    assert (grey(path, View(2)) == FITC).all()


def test_a_file_whose_name_ends_in_brackets_is_itself(tmp_path):
    path = tmp_path / "a.tif[T2]"
    tifffile.imwrite(path, DAPI)
    assert photos_in(path) == [path]
    assert (grey(path) == DAPI).all()


def test_of_a_moving_png_no_picture_is_taken_in_silence(tmp_path):
    first, second = Image.fromarray(DAPI), Image.fromarray(FITC)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    with pytest.raises(PhotoError, match=r"moving picture\. Save the one that is to be counted"):
        grey(tmp_path / "a.png")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_utf8_are_read_and_printed(tmp_path):
    path = tmp_path / os.fsdecode(b"z\xe4hl.tif")
    tifffile.imwrite(tmp_path / "plain.tif", DAPI)
    (tmp_path / "plain.tif").rename(path)
    assert (grey(path) == DAPI).all()
    path.write_bytes(b"II*\0")
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    assert r"z\xe4hl.tif: The photo is cut short" in str(caught.value).encode().decode()


def lit(colour, picture=DAPI):
    return np.rint(picture[..., None] / 255 * np.array(colour)).astype(np.uint8)


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255), (0, 128, 255), (255, 165, 0)]
)
@pytest.mark.parametrize("quality", [None, 75])
def test_one_channel_in_a_colour_is_grey(tmp_path, colour, quality):
    large = np.asarray(Image.fromarray(DAPI).resize((240, 160)))
    name = "a.png" if quality is None else "a.jpg"
    Image.fromarray(lit(colour, large)).save(tmp_path / name, quality=quality)
    photo = grey(tmp_path / name)
    assert np.abs(photo.astype(int) - large).mean() < (0.01 if quality is None else 16)
    kept = read_photo(tmp_path / name, view=View("rgb"))
    assert np.ptp(kept, axis=2).max() > 100


def test_other_colours_stay(tmp_path):
    large = np.asarray(Image.fromarray(DAPI).resize((800, 600)))
    one_red_cell = lit((0, 255, 0), large)
    one_red_cell[300:312, 400:412] = (200, 0, 0)
    stained = 255 - lit((60, 200, 90), large)
    tinted = lit((255, 180, 140), large)
    flat = np.full((60, 60, 3), (200, 0, 0), np.uint8)
    black = np.zeros((60, 60, 3), np.uint8)
    two = lit((255, 0, 0), large) + lit((0, 255, 0), large[::-1])
    for pixels in (one_red_cell, stained, tinted, flat, black, two):
        assert uncoloured(pixels) is pixels


def test_what_is_chosen_holds_for_all_that_reads_and_in_children(tmp_path, monkeypatch):
    monkeypatch.delenv("CELLCOUNT_CHANNEL", raising=False)
    monkeypatch.delenv("CELLCOUNT_Z", raising=False)
    both = np.stack([np.full((20, 30), 10, np.uint8), np.eye(20, 30, dtype=np.uint8) * 200])
    file = tmp_path / "a.ome.tif"
    tifffile.imwrite(file, both, metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}})
    read = "import sys, cellcount.photos.reading as r; print(r.read_photo(sys.argv[1]).max())"
    with View("GFP", z="max").chosen_for_all():
        assert View.chosen() == View("GFP", "max")
        assert read_photo(file).max() == 200
        assert read_photo(file, view=View("DAPI")).max() == 10
        child = subprocess.run([sys.executable, "-c", read, file], capture_output=True, check=True)
        assert child.stdout == b"200\n"
        assert View.learned({"view": {"channel": "DAPI"}}) == View("GFP", "max")
    assert View.chosen() == View()
    assert View.learned({"view": {"channel": "DAPI"}}) == View("DAPI")
    monkeypatch.setenv("CELLCOUNT_Z", "3")
    with View("GFP").chosen_for_all():
        assert View.chosen() == View("GFP", "3")
    assert View.chosen() == View(z="3")
