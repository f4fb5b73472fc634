"""Photos: every format comes out upright, 8-bit and in the right colours, or is named."""

import io
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.photos import reading
from cellcount.photos.colour import rgb as rgb_of

# EXIF 2.32, tag Orientation, worked out by hand for the stored picture ABC / DEF.
UPRIGHT = {
    1: ["ABC", "DEF"],
    2: ["CBA", "FED"],
    3: ["FED", "CBA"],
    4: ["DEF", "ABC"],
    5: ["AD", "BE", "CF"],
    6: ["DA", "EB", "FC"],
    7: ["FC", "EB", "DA"],
    8: ["CF", "BE", "AD"],
}
GREY_OF = {"A": 0, "B": 48, "C": 96, "D": 144, "E": 192, "F": 240}
TILE = 16  # a JPEG's blocks, so that flat tiles survive it


def tiles(rows):
    """Draw the letters as flat grey squares, shape (rows * 16, columns * 16)."""
    small = np.array([[GREY_OF[letter] for letter in row] for row in rows], np.uint8)
    return small.repeat(TILE, axis=0).repeat(TILE, axis=1)


def tiff_bytes(pixels, *, orientation=1, photometric=None):
    """An uncompressed little-endian TIFF 6.0, written by hand."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if photometric is None:
        photometric = 1 if channels == 1 else 2
    data = pixels.tobytes()
    tags = {256: [width], 257: [height], 258: [8 * pixels.dtype.itemsize] * channels, 259: [1]}
    tags |= {262: [photometric], 273: [8]}
    tags |= {274: [orientation], 277: [channels], 278: [height], 279: [len(data)]}
    tags |= {284: [1]} | ({338: [2]} if channels == 4 else {})
    directory, behind = struct.pack("<H", len(tags)), b""
    start = 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, values in tags.items():
        kind, letter = (4, "I") if tag in (273, 279) else (3, "H")
        packed = struct.pack(f"<{len(values)}{letter}", *values)
        if len(packed) > 4:
            packed, behind = struct.pack("<I", start + len(behind)), behind + packed
        directory += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + bytes(4) + behind


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bytes(pixels, *, orientation=1):
    """A PNG of 16-bit grey (2-D), RGB or RGBA pixels with an eXIf chunk, written by hand."""
    height, width = pixels.shape[:2]
    colour = {2: 0, 3: {3: 2, 4: 6}.get(pixels.shape[-1])}[pixels.ndim]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"eXIf", exif), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def pillow_bytes(pixels, kind, orientation=1, **options):
    exif = Image.Exif()
    exif[274] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, exif=exif, **options)
    return file.getvalue()


def rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def wide(grey):
    """The same picture in 16 bits, with a top that uses all of them."""
    return grey.astype("<u2") * 257


WRITERS = {
    "grey.jpg": lambda o: pillow_bytes(tiles(UPRIGHT[1]), "JPEG", o, quality=95),
    "colour.JPEG": lambda o: pillow_bytes(rgb(tiles(UPRIGHT[1])), "JPEG", o, quality=95),
    "colour.png": lambda o: pillow_bytes(rgb(tiles(UPRIGHT[1])), "PNG", o),
    "colour16.png": lambda o: png_bytes(rgb(wide(tiles(UPRIGHT[1]))), orientation=o),
    "grey16.png": lambda o: png_bytes(wide(tiles(UPRIGHT[1])), orientation=o),
    "colour.tif": lambda o: tiff_bytes(rgb(tiles(UPRIGHT[1])), orientation=o),
    "packed.tif": lambda o: pillow_bytes(
        rgb(tiles(UPRIGHT[1])), "TIFF", o, compression="tiff_deflate"
    ),
    "grey.tif": lambda o: tiff_bytes(tiles(UPRIGHT[1]), orientation=o),
    "grey16.tiff": lambda o: tiff_bytes(wide(tiles(UPRIGHT[1])), orientation=o),
    "colour16 µ.TIF": lambda o: tiff_bytes(rgb(wide(tiles(UPRIGHT[1]))), orientation=o),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", WRITERS)
def test_eight_orientations_come_out_upright(tmp_path, name, orientation):
    path = tmp_path / name
    path.write_bytes(WRITERS[name](orientation))
    expected = rgb(tiles(UPRIGHT[orientation]))
    photo = reading.read_photo(path)
    assert photo.dtype == np.uint8
    assert photo.flags.writeable
    assert photo.shape == expected.shape
    assert np.abs(photo.astype(int) - expected).max() <= (2 if "jp" in name.lower() else 0)
    assert reading.photo_size(path) == expected.shape[1::-1]


def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(WRITERS["grey.jpg"](9))
    assert reading.photo_size(tmp_path / "a.jpg") == (48, 32)
    assert reading.read_photo(tmp_path / "a.jpg").shape == (32, 48, 3)


@pytest.mark.parametrize("as_bytes", [tiff_bytes, png_bytes])
@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param([0, 16, 2048, 4095], [0, 1, 128, 255], id="12-bit camera"),
        pytest.param([0, 256, 32768, 65535], [0, 1, 128, 255], id="full range"),
        pytest.param([0, 1, 2, 255], [0, 1, 2, 255], id="8 bits in a 16-bit file"),
        pytest.param([0, 0, 0, 3], [0, 0, 0, 3], id="nearly black stays so"),
        pytest.param([40000] * 4, [156] * 4, id="even and bright is not white"),
    ],
)
def test_16_bits_are_scaled_by_the_cameras_depth(tmp_path, as_bytes, stored, expected):
    line = np.array(stored, "<u2").repeat(50)
    grey = np.tile(line, (30, 1))
    for name, pixels in {"grey": grey, "colour": rgb(grey)}.items():
        path = tmp_path / f"{name}.tif"
        path.write_bytes(as_bytes(pixels))
        photo = reading.read_photo(path)
        assert photo.shape == (30, 200, 3)
        assert photo[:, ::50].tolist() == [[[v] * 3 for v in expected]] * 30


def test_deep_photos_are_divided_by_the_power_of_two_that_percentiles_give():
    chance = np.random.default_rng(0)
    for number in range(200):
        size = (1100, 1000) if number == 0 else chance.integers(1, 60, 2)
        most = chance.choice([3, 255, 256, 257, 1000, 4095, 4096, 65535])
        grey = (chance.random(size) ** chance.integers(1, 9) * most).round().astype(np.uint16)
        shift = max(0, int(np.percentile(grey, 99.9)).bit_length() - 8)
        expected = np.minimum(grey >> shift, 255)
        for deep in (grey, grey.astype(">u2"), grey[:, ::-1][:, ::-1]):
            assert (rgb_of(deep) == expected[..., None]).all()


def test_a_hot_pixel_darkens_nothing(tmp_path):
    grey = np.full((60, 60), 1000, "<u2")
    grey[7, 5] = 65535
    (tmp_path / "a.tif").write_bytes(tiff_bytes(grey))
    photo = reading.read_photo(tmp_path / "a.tif")
    assert photo[0, 0, 0] == 250  # 10 bits: 1000 // 4
    assert photo[7, 5, 0] == 255


def test_16_bit_colours_keep_their_order_and_balance(tmp_path):
    pixels = np.empty((8, 9, 3), "<u2")
    pixels[:] = (4000, 2000, 160)
    for name, content in {"a.tif": tiff_bytes(pixels), "a.png": png_bytes(pixels)}.items():
        (tmp_path / name).write_bytes(content)
        assert reading.read_photo(tmp_path / name)[3, 4].tolist() == [250, 125, 10]


@pytest.mark.parametrize("as_bytes", [tiff_bytes, png_bytes])
def test_16_bit_transparency_shows_white(tmp_path, as_bytes):
    pixels = np.zeros((4, 4, 4), "<u2")
    pixels[..., 0] = 65535
    pixels[:2, :, 3] = 65535
    (tmp_path / "a.tif").write_bytes(as_bytes(pixels))
    photo = reading.read_photo(tmp_path / "a.tif")
    assert photo[0, 0].tolist() == [255, 0, 0]
    assert photo[3, 3].tolist() == [255, 255, 255]


def test_16_bit_grey_where_zero_means_white(tmp_path):
    grey = np.array([[0, 4095]], "<u2").repeat(40, axis=1)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(grey, photometric=0))
    photo = reading.read_photo(tmp_path / "a.tif")
    assert photo[0, [0, -1], 0].tolist() == [255, 0]


RED, HALF_RED, WHITE, BLACK = [255, 0, 0], [255, 127, 127], [255, 255, 255], [0, 0, 0]


def palette_with_hole():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 1
    return image


def from_pixels(mode, left, right):
    image = Image.new(mode, (2, 1), left)
    image.putpixel((1, 0), right)
    return image


@pytest.mark.parametrize(
    ("kind", "image", "expected"),
    [
        ("PNG", palette_with_hole(), [RED, WHITE]),
        ("BMP", from_pixels("RGB", (255, 0, 0), (0, 0, 0)), [RED, BLACK]),
        ("PNG", from_pixels("1", 0, 1), [BLACK, WHITE]),
        ("TIFF", from_pixels("1", 0, 1), [BLACK, WHITE]),
        ("BMP", from_pixels("L", 0, 255), [BLACK, WHITE]),
        ("PNG", from_pixels("LA", (0, 255), (0, 0)), [BLACK, WHITE]),
        ("PNG", from_pixels("RGBA", (255, 0, 0, 128), (9, 9, 9, 0)), [HALF_RED, WHITE]),
        ("TIFF", from_pixels("RGBA", (255, 0, 0, 255), (9, 9, 9, 0)), [RED, WHITE]),
        ("TIFF", from_pixels("CMYK", (0, 255, 255, 0), (0, 0, 0, 255)), [RED, BLACK]),
        ("JPEG", Image.new("CMYK", (2, 1), (0, 255, 255, 0)), [RED, RED]),
        ("JPEG", Image.new("L", (2, 1), 255), [WHITE, WHITE]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_colour_models(tmp_path, kind, image, expected):
    image.save(tmp_path / "a.bmp", kind)  # the content decides, whatever the suffix says
    photo = reading.read_photo(tmp_path / "a.bmp")
    assert photo.shape == (1, 2, 3)
    assert np.abs(photo[0].astype(int) - expected).max() <= 2


def waves(height, width):
    y, x = np.mgrid[:height, :width]
    return rgb((127 + 60 * np.sin(x / 9) + 60 * np.cos(y / 7)).astype(np.uint8))


@pytest.mark.parametrize(
    ("orientation", "expected"), [(1, (75, 100, 3)), (6, (100, 75, 3))], ids=["flat", "turned"]
)
def test_shrinking_a_jpeg_is_close_to_shrinking_all_of_it(tmp_path, orientation, expected):
    pixels = waves(600, 801)
    (tmp_path / "a.jpg").write_bytes(pillow_bytes(pixels, "JPEG", orientation, quality=95))
    small = reading.read_photo(tmp_path / "a.jpg", shrink_to=100)
    assert small.shape == expected
    whole = Image.fromarray(reading.read_photo(tmp_path / "a.jpg"))
    exact = np.asarray(whole.resize(expected[1::-1], Image.Resampling.BICUBIC))
    assert np.abs(small.astype(int) - exact).mean() < 1


def test_shrinking_never_enlarges_and_serves_other_formats(tmp_path):
    Image.fromarray(waves(30, 40)).save(tmp_path / "a.png")
    assert reading.read_photo(tmp_path / "a.png", shrink_to=20).shape == (15, 20, 3)
    assert reading.read_photo(tmp_path / "a.png", shrink_to=41).shape == (30, 40, 3)
    Image.new("L", (200, 1)).save(tmp_path / "thin.png")
    assert reading.read_photo(tmp_path / "thin.png", shrink_to=20).shape == (1, 20, 3)


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pillow_bytes(NOISE, "JPEG"), id="jpeg"),
        pytest.param(pillow_bytes(NOISE, "PNG"), id="png"),
        pytest.param(pillow_bytes(NOISE, "BMP"), id="bmp"),
        pytest.param(pillow_bytes(NOISE, "TIFF"), id="tiff"),
        pytest.param(pillow_bytes(NOISE, "TIFF", compression="tiff_lzw"), id="lzw"),
        pytest.param(png_bytes(NOISE.astype("<u2") * 257), id="png16"),
        pytest.param(tiff_bytes(NOISE.astype("<u2") * 257), id="tiff16"),
    ],
)
def test_a_file_cut_short_is_named(tmp_path, content):
    path = tmp_path / "cut.jpg"
    warnings.simplefilter("ignore")  # Pillow's, on what it meets on the way
    for length in (1, 9, 30, 200, len(content) // 2, len(content) * 9 // 10):
        path.write_bytes(content[:length])
        with pytest.raises(reading.PhotoError, match=r"cut\.jpg: The (content|photo) is "):
            reading.read_photo(path)


def hollow_png(width, height):
    """A PNG that claims a size and holds no pixel."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"These are notes, not pixels.\n", "The content is no JPEG, PNG, BMP, WebP or TIFF"),
        (pillow_bytes(NOISE, "GIF"), "The content is no JPEG, PNG, BMP, WebP or TIFF"),
        (hollow_png(60000, 60000), "The photo has more than 200 megapixels"),
    ],
    ids=["empty", "text", "gif", "bomb"],
)
def test_what_is_no_photo_is_named_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(CellCountError, match=rf"^\S*odd\.jpg: {reason}"):
        reading.read_photo(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_is_200_megapixels_and_is_seen_in_the_header(tmp_path):
    path = tmp_path / "large.png"
    for width, height in ((20001, 10000), (60000, 60000)):
        path.write_bytes(hollow_png(width, height))
        with pytest.raises(reading.PhotoError, match="200 megapixels"):
            reading.photo_size(path)
    path.write_bytes(hollow_png(20000, 10000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reading.photo_size(path) == (20000, 10000)


def test_pillows_own_limit_is_neither_asked_nor_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(NOISE))
    assert reading.read_photo(tmp_path / "a.tif").shape == (64, 64, 3)
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(reading.PhotoError):
        reading.read_photo(tmp_path / "a.tif")
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_missing_photo_and_a_folder_are_named(tmp_path):
    for read in (reading.read_photo, reading.photo_size):
        with pytest.raises(reading.PhotoError, match=r"gone\.jpg: .*No such file"):
            read(tmp_path / "gone.jpg")
        with pytest.raises(reading.PhotoError, match="cannot be read"):
            read(tmp_path)


def test_photos_are_listed_as_people_count(tmp_path):
    names = ["IMG20.jpg", "img10.jpg", "IMG2.JPG", "img2b.tiff", "²3.png", "7.bmp", "x٣.tif"]
    for name in [*names, ".hidden.jpg", "._IMG2.JPG", "notes.txt", "img2.xml"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = [path.name for path in reading.list_photos(tmp_path)]
    assert found == [
        "7.bmp",
        "IMG2.JPG",
        "img2b.tiff",
        "img10.jpg",
        "IMG20.jpg",
        "x٣.tif",
        "²3.png",
    ]


def test_a_folder_that_is_missing_or_holds_no_photo_is_named(tmp_path):
    with pytest.raises(CellCountError, match=r"no folder .*gone"):
        reading.list_photos(tmp_path / "gone")
    (tmp_path / "a.heic").touch()
    with pytest.raises(CellCountError, match=r"holds no photo.*\.jpg .*\.tiff"):
        reading.list_photos(tmp_path)


def test_reading_photos_needs_no_torch():
    code = (
        "import sys, cellcount.photos.reading, cellcount.labels.voc; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
