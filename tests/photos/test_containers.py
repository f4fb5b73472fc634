"""One picture in every container that microscopes write is read as its PNG is."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from cellcount.photos.reading import photo_size, photos_in, pixel_size, read_photo
from cellcount.photos.view import View
from tests.conftest import ROOT

rng = np.random.default_rng(0)
GREY = gaussian_filter(rng.random((60, 80)), 2)
GREY = np.round(255 * (GREY - GREY.min()) / np.ptp(GREY)).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 257
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
PLANES = np.moveaxis(RGB, -1, 0)
EMPTY = np.zeros_like(GREY)


def blurred(picture):
    return gaussian_filter(picture, 4)


def pyramid(path, **options):
    with tifffile.TiffWriter(path) as file:
        file.write(GREY, subifds=1, tile=(32, 32), **options)
        file.write(GREY[::2, ::2], subfiletype=1, tile=(32, 32))


def preview_beside(path):
    with tifffile.TiffWriter(path) as file:
        file.write(GREY, tile=(32, 32), metadata=None)
        file.write(GREY[::2, ::2], subfiletype=1, tile=(32, 32), metadata=None)


def virtual_stack(path):
    """As ImageJ writes stacks beyond 4 GB: one directory, the other pictures right behind it."""
    with tifffile.TiffWriter(path, imagej=True) as file:
        stack = np.stack([blurred(GREY), GREY])
        file.write(stack, contiguous=True, metadata={"axes": "ZYX"}, truncate=True)


def grey(picture=GREY, **options):
    return lambda path: tifffile.imwrite(path, picture, photometric="minisblack", **options)


def stack(pictures, axes, **options):
    said = {"axes": axes, **options.pop("metadata", {})}
    return grey(np.stack(pictures), metadata=said, **options)


GREYS = {
    "8 bits.tif": grey(),
    "16 bits.tif": grey(DEEP),
    "12 bits in 16.tif": grey(GREY.astype(np.uint16) << 4),
    "32 bits.tif": grey(GREY.astype(np.uint32) << 12),
    "signed.tif": grey(GREY.astype(np.int16) << 4),
    "signed 32.tif": grey(GREY.astype(np.int32) << 4),
    "from 0 to 1.tif": grey((GREY / 255).astype(np.float32)),
    "doubles.tif": grey(GREY / 255),
    "half.tif": grey(GREY.astype(np.float16)),
    "whole numbers as floats.tif": grey((GREY.astype(np.float32)) * 16),
    "no number.tif": grey(np.where(GREY, GREY / 255, np.nan).astype(np.float32)),
    "big-endian.tif": grey(DEEP, byteorder=">"),
    "big-endian floats.tif": grey((GREY / 255).astype(np.float32), byteorder=">"),
    "BigTIFF.tif": grey(DEEP, bigtiff=True),
    "tiled.tif": grey(DEEP, tile=(32, 32)),
    "strips.tif": grey(DEEP, rowsperstrip=7),
    "LZW.tif": grey(DEEP, compression="lzw", predictor=True),
    "deflate.tif": grey(DEEP, compression="zlib", tile=(32, 32)),
    "Zstandard.tif": grey(DEEP, compression="zstd"),
    "LZMA.tif": grey(DEEP, compression="lzma"),
    "PackBits.tif": grey(GREY, compression="packbits"),
    "JPEG 2000.tif": grey(DEEP, compression="jpeg2000", tile=(32, 32)),
    "inverted.tif": lambda path: tifffile.imwrite(path, 255 - GREY, photometric="miniswhite"),
    "inverted 16.tif": lambda path: tifffile.imwrite(path, 65535 - DEEP, photometric="miniswhite"),
    "RGB.tif": lambda path: tifffile.imwrite(path, np.dstack([GREY] * 3), photometric="rgb"),
    "pyramid.ome.tif": pyramid,
    "pyramid.tif": preview_beside,
    "called a smaller copy.tif": grey(subfiletype=1),
    "ImageJ.tif": grey(DEEP, imagej=True),
    "ImageJ, first channel empty.tif": stack([EMPTY, GREY], "CYX", imagej=True),
    "OME, first channel empty.ome.tif": stack([EMPTY, GREY], "CYX"),
    "OME, channels interleaved.ome.tif": grey(np.dstack([EMPTY, GREY]), planarconfig="contig"),
    "OME, sharp second.ome.tif": stack([blurred(GREY), GREY, blurred(GREY)], "ZYX"),
    "ImageJ, sharp second.tif": stack([blurred(GREY), GREY, blurred(GREY)], "ZYX", imagej=True),
    "volume.tif": grey(np.stack([blurred(GREY)] * 15 + [GREY]), volumetric=True, tile=(16, 32, 32)),
    "virtual stack.tif": virtual_stack,
    "in red.png": lambda path: Image.fromarray(np.dstack([GREY, EMPTY, EMPTY])).save(path),
    "in blue.png": lambda path: Image.fromarray(np.dstack([EMPTY, EMPTY, GREY])).save(path),
    "in cyan.tif": lambda path: Image.fromarray(np.dstack([EMPTY, GREY, GREY])).save(path),
}
COLOURS = {
    "RGB.tif": lambda path: tifffile.imwrite(path, RGB, photometric="rgb"),
    "RGB 16.tif": lambda path: tifffile.imwrite(path, RGB.astype(np.uint16) * 257),
    "planes.tif": lambda path: tifffile.imwrite(
        path, PLANES, photometric="rgb", planarconfig="separate"
    ),
    "planes 16.tif": lambda path: tifffile.imwrite(
        path,
        PLANES.astype(np.uint16) * 257,
        photometric="rgb",
        planarconfig="separate",
        compression="zlib",
    ),
    "planes, tiled.tif": lambda path: tifffile.imwrite(
        path, PLANES, photometric="rgb", planarconfig="separate", tile=(32, 32)
    ),
    "floats.tif": lambda path: tifffile.imwrite(
        path, (RGB / 255).astype(np.float32), photometric="rgb"
    ),
    "RGBA.tif": lambda path: tifffile.imwrite(
        path,
        np.dstack([RGB, np.full_like(GREY, 255)]),
        photometric="rgb",
        extrasamples=["unassalpha"],
    ),
    "ImageJ.tif": lambda path: tifffile.imwrite(path, RGB, imagej=True),
    "OME.ome.tif": lambda path: tifffile.imwrite(path, RGB, photometric="rgb"),
    "sharp second.tif": lambda path: tifffile.imwrite(
        path, np.stack([blurred(RGB), RGB]), photometric="rgb", metadata={"axes": "ZYXS"}
    ),
}


@pytest.mark.parametrize("name", GREYS)
def test_a_grey_picture_is_read_as_its_png(tmp_path, name):
    GREYS[name](tmp_path / name)
    Image.fromarray(GREY).save(tmp_path / "as it is.png")
    assert photos_in(tmp_path / name) == [tmp_path / name]
    assert photo_size(tmp_path / name) == (80, 60)
    photo = read_photo(tmp_path / name)
    assert photo.flags.writeable
    np.testing.assert_array_equal(photo, read_photo(tmp_path / "as it is.png"))


@pytest.mark.parametrize("name", COLOURS)
def test_a_picture_in_colour_is_read_as_its_png(tmp_path, name):
    COLOURS[name](tmp_path / name)
    Image.fromarray(RGB).save(tmp_path / "as it is.png")
    assert photo_size(tmp_path / name) == (80, 60)
    np.testing.assert_array_equal(
        read_photo(tmp_path / name), read_photo(tmp_path / "as it is.png")
    )


def test_a_palette_is_looked_up_and_jpegs_colours_are_those_of_pillow(tmp_path):
    indexed = Image.fromarray(RGB).quantize(64)
    indexed.save(tmp_path / "palette.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_photo(tmp_path / "palette.tif"), indexed.convert("RGB"))
    for name, options in {"strips": {}, "tiles": {"tile": (32, 32), "subsampling": (2, 2)}}.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, RGB, photometric="ycbcr", compression="jpeg", **options)
        np.testing.assert_array_equal(read_photo(path), Image.open(path).convert("RGB"))


def test_photos_of_stained_and_living_cells_keep_their_colours(real_photos):
    """Every real photo there is comes out as Pillow has it; none is taken for a single channel."""
    photos = [path for path in real_photos.parents[1].rglob("*") if path.suffix in (".jpg", ".png")]
    photos += (ROOT / "data").rglob("*.jpg")
    assert len(photos) > 50
    for path in photos:
        with Image.open(path) as image:
            if image.mode == "I;16":  # of which Pillow keeps the lower 8 bits
                continue
            upright = ImageOps.exif_transpose(image).convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        expected = np.asarray(Image.alpha_composite(paper, upright).convert("RGB"))
        assert (read_photo(path) == expected).all(), path


def test_orientation_turns_stacks_too(tmp_path):
    tags = [(274, 3, 1, 6, True)]  # stored lying on its left side
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([EMPTY, GREY]), metadata={"axes": "CYX"}, extratags=tags
    )
    assert photo_size(tmp_path / "a.tif") == (60, 80)
    assert (read_photo(tmp_path / "a.tif")[..., 0] == np.rot90(GREY, -1)).all()


def test_shrinking_is_that_of_the_whole_picture(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP)
    small = Image.fromarray(GREY).convert("RGB").resize((40, 30), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif", shrink_to=40), small)


UM_PER_PX = {
    "OME": ({"ome": True, "metadata": {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}}, 0.25),
    "ImageJ": ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "micron"}}, 0.25),
    "ImageJ in mm": (
        {"imagej": True, "resolution": (4000, 4000), "metadata": {"unit": "mm"}},
        0.25,
    ),
    "per centimetre": ({"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}, 0.25),
    "a printer's dots": ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
    "not square": ({"resolution": (40000, 20000), "resolutionunit": "CENTIMETER"}, None),
    "no unit": ({"imagej": True, "resolution": (4, 4)}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("kind", UM_PER_PX)
def test_pixel_size_is_what_the_file_says(tmp_path, kind):
    options, expected = UM_PER_PX[kind]
    tifffile.imwrite(tmp_path / "a.tif", GREY, **options)
    assert pixel_size(tmp_path / "a.tif") == (expected and pytest.approx(expected, rel=1e-6))


def test_a_plain_picture_has_no_pixel_size(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png", dpi=(40000, 40000))
    assert pixel_size(tmp_path / "a.png") is None


def test_files_of_a_set_are_photos_of_their_own(tmp_path):
    """OME's metadata may point to other files, which are in the folder themselves."""
    for number, picture in enumerate([GREY, GREY[::-1]]):
        other = "".join(
            f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1">'
            f'<UUID FileName="{t}.ome.tif">urn:uuid:{t}</UUID></TiffData>'
            for t in range(2)
        )
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{number}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint8" '
            'DimensionOrder="XYCZT" SizeX="80" SizeY="60" SizeC="1" SizeZ="1" SizeT="2">'
            f'<Channel ID="Channel:0:0"/>{other}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / f"{number}.ome.tif", picture, description=xml, metadata=None)
    assert (read_photo(tmp_path / "1.ome.tif", view=View(z="max"))[..., 0] == GREY[::-1]).all()
