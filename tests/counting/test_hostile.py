"""Three hundred inputs that nobody means well with: a row each, no traceback, little memory."""

import csv
import io
import os
import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
SOURCE = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[0]
SMALL = Image.open(SOURCE).convert("RGB").crop((0, 0, 48, 40))
_MOST = 1_500_000  # KB that counting may take; without hostile inputs it takes a third


def saved(kind, image=SMALL, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def png_header(width, height, depth=8, colour=2):
    """A PNG that claims a size and has hardly a pixel."""

    def chunk(kind, content):
        summed = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + summed

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def refused():
    """Names and contents that cannot be counted."""
    whole = {kind: saved(kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP")}
    chance = random.Random(0)
    for kind, content in whole.items():
        suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(kind, kind.lower())
        for part in range(34):  # the last 20 bytes of a PNG or a JPEG hold no pixel
            yield f"cut-{part}.{suffix}", content[: part * (len(content) - 30) // 34]
        for number in range(6):
            yield f"noise-{number}.{suffix}", chance.randbytes(1 + 900 * number)
        yield f"head-{suffix}.{suffix}", content[:40] + chance.randbytes(2000)
    for side in (20_000, 65_535, 2**31 - 1):
        for depth, colour in ((8, 2), (16, 6), (1, 0), (8, 3)):
            yield f"claims-{side}-{depth}-{colour}.png", png_header(side, side, depth, colour)
    yield "flat.png", png_header(2**31 - 1, 1)
    for number, sides in enumerate([(40_000, 40_000), (2**31 - 1, 2**31 - 1), (1, 0), (0, 0)]):
        bitmap = bytearray(whole["BMP"])
        struct.pack_into("<ii", bitmap, 18, *sides)
        yield f"claims-{number}.bmp", bytes(bitmap)
    jpeg = bytearray(whole["JPEG"])
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 65_000, 65_000)
    yield "claims.jpg", bytes(jpeg)
    yield "bomb.png", saved("PNG", Image.new("1", (16_000, 16_000)))
    moving = {"save_all": True, "append_images": [SMALL.rotate(90)]}
    yield "moving.gif", saved("GIF", **moving)
    yield "moving.png", saved("PNG", **moving)
    yield "moving.webp", saved("WEBP", **moving)
    yield "gif.png", saved("GIF")
    yield "moving-gif.jpg", saved("GIF", **moving)
    for number, text in enumerate(
        (b"", b"hi", b"<html></html>", b"\0" * 5000, b"%PDF-1.7\n", b"GIF89a")
    ):
        yield f"text-{number}.jpg", text
        yield f"text-{number}.czi", text
    yield "phone.heic", struct.pack(">I", 24) + b"ftypheic" + bytes(300)
    yield "complex.tif", tiff(np.zeros((40, 48), np.complex64))
    yield "mode-YCbCr.tif", saved("TIFF", SMALL.convert("YCbCr"))  # which Pillow itself cannot read
    yield "two.tif", b"II*\0\xff\xff\xff\xff"


def counted():
    """Names and contents that are odd and photos."""
    grey = np.asarray(SMALL.convert("L"))
    for mode in ("1", "L", "P", "LA", "RGBA", "I;16"):
        image = (
            Image.fromarray(grey.astype(np.uint16) * 256) if mode == "I;16" else SMALL.convert(mode)
        )
        yield f"mode-{mode.replace(';', '')}.png", saved("PNG", image)
    for mode in ("1", "L", "P", "CMYK", "LA", "RGBA", "LAB", "F", "I"):
        image = SMALL.convert("L").convert(mode) if mode in ("F", "I") else None
        image = image or (SMALL.convert("RGB") if mode == "LAB" else SMALL.convert(mode))
        yield f"mode-{mode}.tif", saved("TIFF", image)
    for mode in ("L", "CMYK", "YCbCr"):
        yield f"mode-{mode}.jpg", saved("JPEG", SMALL.convert(mode))
    for mode in ("1", "L", "P"):
        yield f"mode-{mode}.bmp", saved("BMP", SMALL.convert(mode))
    for kind in (np.float16, np.float32, np.float64, np.int16, np.uint32):
        yield f"{np.dtype(kind)}.tif", tiff(grey.astype(kind))
    not_numbers = grey.astype(np.float32)
    not_numbers[::2] = np.nan
    yield "nan.tif", tiff(not_numbers)
    for kind, suffix in (
        ("PNG", "png"),
        ("JPEG", "jpg"),
        ("BMP", "bmp"),
        ("TIFF", "tif"),
        ("WEBP", "webp"),
    ):
        yield f"dot.{suffix}", saved(kind, Image.new("RGB", (1, 1)))
        yield f"line.{suffix}", saved(kind, Image.new("RGB", (700, 1)))
        yield f"whole.{suffix}", saved(kind)
    yield "png-in-truth.jpg", saved("PNG")
    yield "jpeg-in-truth.tif", saved("JPEG")
    yield "webp-in-truth.png", saved("WEBP")
    yield "upper.PNG", saved("PNG")
    yield "moving-of-one.png", saved("PNG", save_all=True, append_images=[])
    yield "=cmd|' C'!A1.png", saved("PNG")
    yield "two\nlines.png", saved("PNG")
    yield 'comma,"quote".png', saved("PNG")
    yield "x" * 251 + ".png", saved("PNG")
    yield "[P2].png", saved("PNG")
    yield os.fsdecode(b"z\xe4hl.png"), saved("PNG")
    yield "細胞 🔬.png", saved("PNG")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def count(folder, table, *more):
    """The exit status, what was said, the rows by photo and the most memory taken, in KB."""
    asked = ["count", str(MODEL), str(folder), *more, "--out", str(table)]
    code = (  # what resource tells has the tests' own memory in it, from before the program began
        "import re, sys; from cellcount.commands.main import main\n"
        "status = main(sys.argv[1:])\n"
        "told = open('/proc/self/status').read()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', told)[1], file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *asked],
        cwd=ROOT,
        check=False,
        capture_output=True,
        timeout=900,
    )
    said = (done.stdout + done.stderr).decode()
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len({row["photo"] for row in rows}) == len(rows)
    memory = int(done.stderr.split()[-1])
    return done.returncode, said, {row["photo"]: row for row in rows}, memory


def test_three_hundred_hostile_inputs(folder, tmp_path):
    bad, odd = dict(refused()), dict(counted())
    for name, content in (bad | odd).items():
        (folder / name).write_bytes(content)
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "pipe.tif")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "round").symlink_to(folder)
    (folder / "folder.png").mkdir()
    special = {"circle.png", "nowhere.png", "pipe.png", "pipe.tif", "device.png"}
    others = {"moving.gif", "phone.heic"}
    assert len(bad) + len(odd) + len(special) + 2 >= 300
    status, said, rows, memory = count(folder, tmp_path / "counts.csv")
    assert status == 3 and "Traceback" not in said, said
    assert memory < _MOST
    assert "not entered: 2 (folder.png, round)" in said
    assert "no photos, as their names say: 2 (moving.gif, phone.heic)" in said
    failed = {name for name, row in rows.items() if row["trust"] == "failed"}
    assert failed == {*bad} - others | special
    for name in failed:
        assert rows[name]["count"] == "" and len(rows[name]["why"]) > 20
        assert "\n" not in rows[name]["why"]
    good = {os.fsencode(name).decode("utf-8", "backslashreplace") for name in odd}
    assert {name.removeprefix("'") for name in rows} - failed == good
    whole = rows["whole.png"]["count"]
    for name in ("whole.bmp", "whole.tif", "upper.PNG", "png-in-truth.jpg", "mode-RGBA.png"):
        assert rows[name]["count"] == whole, name


def test_pipes_and_folders_that_are_asked_for_by_name(folder, tmp_path):
    os.mkfifo(folder / "pipe.png")
    (folder / "deep.png").mkdir()
    (folder / "a.png").write_bytes(saved("PNG"))
    status, said, rows, _ = count(folder / "pipe.png", tmp_path / "one.csv", str(folder / "a.png"))
    assert status == 3 and "no file but a folder, a pipe" in rows["pipe.png"]["why"], said


@pytest.mark.skipif(os.name == "posix" and os.getuid() == 0, reason="root may read everything")
def test_photos_and_folders_that_may_not_be_read(folder, tmp_path):
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(saved("PNG"))
    (folder / "a.png").chmod(0)
    status, said, rows, _ = count(folder, tmp_path / "counts.csv")
    assert status == 3 and "Permission denied" in rows["a.png"]["why"], said
