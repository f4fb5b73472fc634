"""Vendors' files, written by the vendor's own library or after the format's description."""

import struct
import sys

import numpy as np
import pytest
import tifffile

from cellcount.photos import photo_error
from cellcount.photos.reading import (
    PhotoError,
    is_photo,
    opened_slide,
    photo_size,
    photos_in,
    pixel_size,
    read_photo,
)
from cellcount.photos.view import View

rng = np.random.default_rng(5)
STACK = rng.integers(0, 4096, (2, 3, 40, 60)).astype(np.uint16)  # channels, slices
EIGHT = (STACK >> 4).astype(np.uint8)


PACKAGES = {
    "czi": "czifile",
    "lif": "liffile",
    "nd2": "nd2",
    "oib": "oiffile",
    "oif": "oiffile",
}


@pytest.fixture
def zeiss():
    pytest.importorskip("czifile", reason="czifile is in requirements-microscopes.txt")
    return pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw is in requirements-dev.txt")


@pytest.mark.parametrize("compression", [None, "zstd0:ExplicitLevel=2", "zstd1:ExplicitLevel=2"])
def test_zeiss_czi(tmp_path, zeiss, compression):
    path = tmp_path / "a.czi"
    options = {} if compression is None else {"compression_options": compression}
    with zeiss.create_czi(str(path), **options) as czi:
        for channel in range(2):
            for z in range(3):
                plane = {"C": channel, "Z": z, "T": 0}
                czi.write(STACK[channel, z][..., None], plane=plane)
        czi.write_metadata(
            "a", channel_names={0: "DAPI", 1: "FITC"}, scale_x=0.25e-6, scale_y=0.25e-6
        )
    assert photos_in(path) == [path]
    assert photo_size(path) == (60, 40)
    assert pixel_size(path) == pytest.approx(0.25)
    assert (read_photo(path, view=View("FITC", 2))[..., 0] == EIGHT[1, 1]).all()
    assert (read_photo(path, view=View("dapi", "max"))[..., 0] == EIGHT[0].max(axis=0)).all()
    with pytest.raises(PhotoError, match="1 DAPI, 2 FITC"):
        read_photo(path)


def test_zeiss_czi_of_scenes_mosaics_and_colours(tmp_path, zeiss, monkeypatch):
    path = tmp_path / "a.czi"
    colours = rng.integers(0, 256, (2, 40, 60, 3)).astype(np.uint8)
    with zeiss.create_czi(str(path)) as czi:
        for scene in range(2):
            for tile in range(2):  # in halves, the second scene far away
                here = (700 * scene + 30 * tile, 900 * scene)
                part = colours[scene, :, 30 * tile : 30 * tile + 30, ::-1]  # it takes BGR
                czi.write(np.ascontiguousarray(part), plane={"C": 0}, location=here, scene=scene)
    photos = photos_in(path)
    assert [photo.name for photo in photos] == ["a.czi[S1]", "a.czi[S2]"]
    for photo, expected in zip(photos, colours, strict=True):
        assert (read_photo(photo) == expected).all()
    monkeypatch.setattr(photo_error, "MAX_MEGAPIXELS", 0.001)
    assert photo_size(photos[1]) == (60, 40)
    with opened_slide(photos[1]) as slide:
        assert (slide[5:30, 20:45] == colours[1, 5:30, 20:45]).all()
        assert (slide[0:40, 0:10] == colours[1, :, :10]).all()


def lif_bytes(pictures, down=2):
    """Leica's LIF, version 2, after "LIF File Format Description": XML, then blocks of memory."""
    channels, height, width = pictures.shape

    def text(words):
        return b"\x2a" + struct.pack("<i", len(words)) + words.encode("utf-16-le")

    def dimension(number, many, step, metres):
        return (
            f'<DimensionDescription DimID="{number}" NumberOfElements="{many}" Origin="0" '
            f'Length="{metres}" Unit="m" BitInc="0" BytesInc="{step}"/>'
        )

    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="8" LUTName="{name}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="255" Unit="" IsLUTInverted="0" BitInc="0" '
        f'BytesInc="{number * height * width}"/>'
        for number, name in zip(range(channels), ("Blue", "Green"), strict=False)
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="all" UniqueID="0"><Data/>'
        '<Memory Size="0" MemoryBlockID="M_0"/><Children><Element Name="cells" UniqueID="1">'
        f"<Data><Image><ImageDescription><Channels>{described}</Channels><Dimensions>"
        f"{dimension(1, width, 1, 0.5e-6 * (width - 1))}"
        f"{dimension(down, height, width, 0.5e-6 * (height - 1))}"
        "</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{pictures.size}" MemoryBlockID="M_1"/></Element></Children></Element>'
        "</LMSDataContainerHeader>"
    )
    header = text(xml)
    block = b"\x2a" + struct.pack("<Q", pictures.size) + text("M_1")
    parts = [struct.pack("<ii", 0x70, len(part)) + part for part in (header, block)]
    return parts[0] + parts[1] + pictures.tobytes()


def test_leica_lif(tmp_path):
    pytest.importorskip("liffile", reason="liffile is in requirements-microscopes.txt")
    path = tmp_path / "a.lif"
    path.write_bytes(lif_bytes(EIGHT[:, 0]))
    assert photo_size(path) == (60, 40)
    assert pixel_size(path) == pytest.approx(0.5)
    for view, expected in {View(2): EIGHT[1, 0], View("1"): EIGHT[0, 0]}.items():
        assert (read_photo(path, view=view)[..., 0] == expected).all()
    with pytest.raises(PhotoError, match="several channels"):
        read_photo(path)


def test_leicas_cuts_into_the_depth_are_no_photos(tmp_path):
    pytest.importorskip("liffile", reason="liffile is in requirements-microscopes.txt")
    path = tmp_path / "a.lif"
    path.write_bytes(lif_bytes(EIGHT[:, 0], down=3))  # X and Z
    with pytest.raises(PhotoError, match="holds no photo"):
        read_photo(path)


def test_olympus_oif(tmp_path):
    """A text of settings, and a folder of TIFFs: as Fluoview writes them."""
    pytest.importorskip("oiffile", reason="oiffile is in requirements-microscopes.txt")
    path = tmp_path / "a.oif"
    settings = (
        "[GUI Channel 1 Parameters]\nCH Name=CH1\n[GUI Channel 2 Parameters]\nCH Name=CH2\n"
        '[ProfileSaveInfo]\nName="a.oif"\nVersion="1.0.0.0"\n'
        '[Reference Image Parameter]\nWidthConvertValue=0.177\nWidthUnit="um"\n'
    )
    path.write_bytes(settings.replace("\n", "\r\n").encode("utf-16"))
    (tmp_path / "a.oif.files").mkdir()
    for channel in range(2):
        for z in range(3):
            name = f"a.oif.files/s_C{channel + 1:03}Z{z + 1:03}.tif"
            tifffile.imwrite(tmp_path / name, STACK[channel, z])
    assert photo_size(path) == (60, 40)
    assert pixel_size(path) == pytest.approx(0.177)
    assert (read_photo(path, view=View("CH2", 3))[..., 0] == EIGHT[1, 2]).all()


@pytest.mark.parametrize(
    ("suffix", "package"),
    [
        ("czi", "czifile"),
        ("lif", "liffile"),
        ("nd2", "nd2"),
        ("oib", "oiffile"),
        ("oif", "oiffile"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_adds_it(
    tmp_path, monkeypatch, suffix, package
):
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / f"a.{suffix.upper()}"
    path.write_bytes(b"something")
    assert is_photo(path)
    with pytest.raises(PhotoError, match=rf"{package}, which is missing.*requirements-microscopes"):
        read_photo(path)
    with pytest.raises(PhotoError, match="No such file"):
        read_photo(tmp_path / f"gone.{suffix}")


@pytest.mark.parametrize(
    ("suffix", "package"),
    [
        ("czi", "czifile"),
        ("lif", "liffile"),
        ("nd2", "nd2"),
        ("oib", "oiffile"),
        ("oif", "oiffile"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"These are notes.", b"\x70\0\0\0" * 99], ids=len)
def test_what_is_no_such_file_ends_in_a_sentence(tmp_path, suffix, package, content):
    pytest.importorskip(package, reason=f"{package} is in requirements-microscopes.txt")
    (tmp_path / f"a.{suffix}").write_bytes(content)
    with pytest.raises(PhotoError, match=r"a\.\w+: The (file is empty|photo is cut|content)"):
        read_photo(tmp_path / f"a.{suffix}")
