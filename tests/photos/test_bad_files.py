"""Damaged files of microscopes end in one sentence, in bounded time and memory."""

import random
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellcount.photos.reading import PhotoError, photo_size, photos_in, pixel_size, read_photo
from cellcount.photos.view import View
from tests.conftest import ROOT

GREY = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)
KINDS = {
    "plain": (GREY, {}),
    "stack": (np.stack([GREY] * 4), {"photometric": "minisblack"}),
    "hyperstack": (np.stack([GREY] * 4), {"imagej": True, "metadata": {"axes": "ZYX"}}),
    "OME": (np.stack([GREY] * 4), {"ome": True, "metadata": {"axes": "TYX"}}),
    "tiles": (GREY.astype(np.uint16), {"compression": "zlib", "tile": (16, 16)}),
    "JPEG": (
        np.dstack([GREY] * 3),
        {"photometric": "rgb", "compression": "jpeg", "tile": (16, 16)},
    ),
    "BigTIFF": (GREY.astype(np.float32), {"bigtiff": True}),
    "pages": (np.stack([GREY] * 3), {"compression": "lzw", "metadata": None}),
}
ANY = View(channel=1, z="max")


def written(path, kind):
    pixels, options = KINDS[kind]
    tifffile.imwrite(path, pixels, **options)
    return bytearray(path.read_bytes())


def set_tag(content, tag, value, many=1):
    """Overwrite the value of a tag of the first page of a little-endian TIFF."""
    page = struct.unpack_from("<I", content, 4)[0]
    for entry in range(page + 2, page + 2 + 12 * struct.unpack_from("<H", content, page)[0], 12):
        if struct.unpack_from("<H", content, entry)[0] == tag:
            struct.pack_into("<HII", content, entry + 2, 4 if many == 1 else 3, many, value)
            return
    raise KeyError(tag)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_is_never_filled_up_with_black(tmp_path, kind):
    path = tmp_path / "a.tif"
    whole = written(path, kind)
    pages = max(offset for page in tifffile.TiffFile(path).pages for offset in page.dataoffsets)
    for length in (4, 9, 60, len(whole) // 2, pages + 50):
        path.write_bytes(whole[:length])
        with pytest.raises(PhotoError, match=r"a\.tif: The (photo|file|content) "):
            read_photo(path, view=ANY)
        assert photos_in(path)


@pytest.mark.parametrize(
    ("tag", "value", "problem"),
    [
        (256, 4_000_000_000, "more than 200 megapixels"),
        (257, 0, "cut short or damaged"),
        (277, 60_000, "cut short|fit into memory"),
        (273, 4_000_000_000, "cut short"),
        (279, 0, "cut short"),
    ],
    ids=["width", "height", "samples", "far away", "no data"],
)
def test_absurd_tags(tmp_path, tag, value, problem):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="zlib")
    content = bytearray(path.read_bytes())
    set_tag(content, tag, value)
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=problem):
        read_photo(path)


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.complex64))
    with pytest.raises(PhotoError, match=r"complex numbers.*save it as"):
        read_photo(tmp_path / "a.tif")


def test_pages_in_a_circle(tmp_path):
    path = tmp_path / "a.tif"
    content = written(path, "pages")
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1].offset
    behind = last + 2 + 12 * struct.unpack_from("<H", content, last)[0]
    assert struct.unpack_from("<I", content, behind) == (0,)
    struct.pack_into("<I", content, behind, first)
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="in a circle"):
        read_photo(path)


@pytest.mark.parametrize(
    ("honest", "absurd"),
    [(b'SizeT="4"', b'SizeT="2147483647"'), (b'PlaneCount="4"', b'PlaneCount="2147483647"')],
)
def test_metadata_that_claim_millions_of_pictures(tmp_path, honest, absurd):
    xml = (
        b'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        b'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="48" '
        b'SizeC="1" SizeZ="1" SizeT="4"><Channel ID="Channel:0:0"/>'
        b'<TiffData IFD="0" PlaneCount="4"/></Pixels></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    said = xml.replace(honest, absurd)
    assert said != xml
    tifffile.imwrite(path, np.stack([GREY] * 4), description=said, metadata=None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PhotoError, match="more than 100000 pictures"):
        read_photo(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


def test_a_large_stack_whose_later_pictures_are_lost(tmp_path):
    """ImageJ writes stacks beyond 4 GB with one directory, which is whole here, as is picture 1."""
    path = tmp_path / "a.tif"
    pixels, options = KINDS["hyperstack"]
    with tifffile.TiffWriter(path, imagej=True) as file:
        file.write(pixels, metadata=options["metadata"], contiguous=True, truncate=True)
    assert photo_size(path) == (64, 48)
    path.write_bytes(path.read_bytes()[: -GREY.size])
    with pytest.raises(PhotoError, match="cut short"):
        read_photo(path)


def test_a_picture_missing_in_a_series(tmp_path):
    path = tmp_path / "a.ome.tif"
    content = written(path, "OME")
    path.write_bytes(content.replace(b'PlaneCount="4"', b'PlaneCount="3"'))
    photos = photos_in(path)
    assert len(photos) == 4
    assert read_photo(photos[0]).shape == (48, 64, 3)
    with pytest.raises(PhotoError, match="does not hold its picture 4"):
        read_photo(photos[3])


def test_what_libraries_warn_of_does_not_reach_the_user(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY).convert("P").save(path)
    content = bytearray(path.read_bytes())
    set_tag(content, 284, 1, many=2)  # Pillow warns of the second value
    path.write_bytes(content)
    code = f"from cellcount.photos.reading import read_photo; read_photo({str(path)!r})"
    asked = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "too many entries" not in done.stderr
    assert path.name not in done.stderr
    code = f"from PIL import Image; Image.open({str(path)!r}).load()"
    asked = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "too many entries" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_wrong_it_is_said_in_a_sentence(tmp_path, kind):
    """Bytes changed at random: no other error, little memory."""
    path, chance = tmp_path / "a.tif", random.Random(kind)
    whole = written(path, kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 9])):
            place = chance.randrange(4, 4 + min(400, len(content) - 8))
            value = chance.choice([0, 1, 255, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(2**32)])
            struct.pack_into("<I", content, place, value)
        path.write_bytes(content)
        for ask in (photos_in, photo_size, pixel_size, lambda path: read_photo(path, view=ANY)):
            try:
                ask(path)
            except PhotoError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB
