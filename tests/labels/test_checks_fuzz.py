"""Two hundred broken folders: each mistake is named, quickly, and no file is touched."""

import hashlib
import os
import re
import signal
import struct
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from cellcount.labels import voc
from cellcount.labels.checks import check
from cellcount.labels.mending import mend

SIZE = WIDTH, HEIGHT = 120, 90
SEEDS = range(8)
SECONDS = 5  # for one folder of two photos; each takes some hundredths

REQUIRED = ("filename", "width", "height", "name", "xmin", "ymin", "xmax", "ymax")
NUMBERS = REQUIRED[1:3] + REQUIRED[4:]


def sound_folder(folder, rng):
    """Two photos, a and b, with labels that nothing is wrong with; a is broken later."""
    for name in ("a", "b"):
        suffix = str(rng.choice([".jpg", ".png", ".bmp", ".tif"]))
        pixels = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}{suffix}")
        corners = rng.integers(0, [WIDTH - 20, HEIGHT - 20], (4, 2))
        boxes = [
            voc.Box("cell", x, y, x + 9 + 2 * i, y + 17 - 3 * i)
            for i, (x, y) in enumerate(corners.tolist())
        ]
        voc.write(folder / f"{name}.xml", voc.Annotation(f"{name}{suffix}", *SIZE, tuple(boxes)))
    (photo,) = (path for path in folder.glob("a.*") if path.suffix != ".xml")
    return folder / "a.xml", photo


def flipped_byte(xml, photo, rng):
    content = bytearray(xml.read_bytes())
    content[rng.integers(len(content) - 1)] ^= 0x80  # no UTF-8 any more
    xml.write_bytes(content)
    return xml, "damaged"


def cut_xml(xml, photo, rng):
    content = xml.read_bytes().strip()
    xml.write_bytes(content[: rng.integers(len(content))])
    return xml, "damaged"


def lost_element(xml, photo, rng):
    tag = rng.choice(REQUIRED)
    xml.write_text(re.sub(rf"\s*<{tag}>.*</{tag}>", "", xml.read_text(), count=1))
    return xml, f"has no <.*{tag}>"


def lost_tag(xml, photo, rng):
    text = xml.read_text()
    tags = list(re.finditer(r"</?[a-z]+>", text))
    lost = tags[rng.integers(len(tags))]
    xml.write_text(text[: lost.start()] + text[lost.end() :])
    return xml, "damaged"


def garbage_number(xml, photo, rng):
    tag = rng.choice(NUMBERS)
    garbage = ["", "many", "nan", "-inf", "1e400", "0x1F", "12,5", "9" * 5000, "1e12", "--3", "½"]
    text = rng.choice(garbage)
    xml.write_text(re.sub(rf"<{tag}>.*<", f"<{tag}>{text}<", xml.read_text(), count=1), "utf-8")
    return xml, f"has no <.*{tag}>|no number"


def entity_bomb(xml, photo, rng):
    laughs = "".join(
        f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, int(rng.integers(5, 30)))
    )
    kinds = [
        f'<!DOCTYPE annotation [<!ENTITY l0 "ha">{laughs}]>',
        f'<!DOCTYPE annotation [<!ENTITY l0 "{"a" * 10**5}">]>',
        '<!DOCTYPE annotation [<!ENTITY l0 SYSTEM "file:///dev/zero">]>',
        '<!DOCTYPE annotation [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]>',
    ]
    last = "&l4;" if laughs else "&l0;"
    text = re.sub("<filename>.*<", f"<filename>{last * 9}<", xml.read_text())
    xml.write_text(str(rng.choice(kinds)) + text)
    return xml, "entities"


def deep_nesting(xml, photo, rng):
    depth = int(rng.integers(10_000, 200_000))
    closed = "</a>" * depth if rng.random() < 0.5 else ""
    xml.write_text(f"<annotation>{'<a>' * depth}{closed}</annotation>")
    return xml, "damaged|has no <filename>"


def wrong_encoding(xml, photo, rng):
    text = xml.read_text().replace("cell", "µ-cell")
    declared = rng.choice(["utf-8", "klingon", "utf-7", "ascii", "utf-16"])
    stored = "latin-1" if declared in ("utf-8", "ascii", "utf-16") else "utf-8"
    xml.write_bytes(f"<?xml version='1.0' encoding='{declared}'?>{text}".encode(stored))
    return xml, "damaged"


def huge_size(xml, photo, rng):
    tag = rng.choice(NUMBERS)
    text = str(rng.integers(10**5, 2**31))
    xml.write_text(re.sub(rf"<{tag}>.*<", f"<{tag}>{text}<", xml.read_text(), count=1))
    return xml, "<size> is" if tag in ("width", "height") else "outside|reversed"


def other_xml(xml, photo, rng):
    root = rng.choice(["kml", "html", "annotations", "Annotation"])
    xml.write_text(f"<{root}>{xml.read_text()}</{root}>")
    return xml, "no Pascal VOC file"


def other_content(xml, photo, rng):
    if rng.random() < 0.5:
        xml.write_bytes(photo.read_bytes())
        return xml, "damaged"
    photo.write_bytes(xml.read_bytes())
    return photo, "no JPEG"


def other_format(xml, photo, rng):
    Image.new("L", SIZE).save(photo, rng.choice(["GIF", "PPM", "ICO"]))
    return photo, "no JPEG"


def zero_bytes(xml, photo, rng):
    broken = (xml, photo)[rng.integers(2)]
    broken.write_bytes(b"")
    return broken, "damaged" if broken == xml else "empty"


def not_a_file(xml, photo, rng):
    broken = (xml, photo)[rng.integers(2)]
    broken.unlink()
    make = (broken.mkdir, lambda: os.mkfifo(broken))[rng.integers(2)]
    make()
    return broken, "is no file"


def link_to_nowhere(xml, photo, rng):
    broken = (xml, photo)[rng.integers(2)]
    broken.unlink()
    broken.symlink_to((broken.name, "gone")[rng.integers(2)])  # to itself: a loop
    return broken, "cannot be read"


def looping_folder(xml, photo, rng):
    for number in range(int(rng.integers(1, 4))):
        (xml.parent / f"loop{number}").symlink_to(".")
    return xml.parent / "loop0", "subfolder holds XML"


def cut_photo(xml, photo, rng):
    content = photo.read_bytes()
    photo.write_bytes(content[: int(len(content) * rng.uniform(0.05, 0.95))])
    return photo, "cut short or damaged|no JPEG"


def bad_photo_header(xml, photo, rng):
    content = bytearray(photo.read_bytes())
    content[rng.integers(2)] ^= 1 << rng.integers(8)  # the first two bytes name the format
    photo.write_bytes(content)
    return photo, "no JPEG"


def decompression_bomb(xml, photo, rng):
    photo = photo.rename(photo.with_suffix(".png"))
    Image.new("L", SIZE).save(photo)
    content = bytearray(photo.read_bytes())
    content[16:24] = struct.pack(">II", *rng.integers(20_000, 2**31, 2).tolist())
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    photo.write_bytes(content)
    return photo, "more than 200 megapixels"


def lost_partner(xml, photo, rng):
    if rng.random() < 0.5:
        photo.unlink()
        return xml, "no photo named a"
    xml.unlink()
    return photo, "has no XML"


def bad_box(xml, photo, rng):
    label = voc.read(xml)
    i = int(rng.integers(4))
    old = label.boxes[i]
    x, y, far = old.xmin, old.ymin, int(rng.integers(1, 9))
    bad = [
        (voc.Box("cell", x, y, x, y + far), "empty"),
        (voc.Box("cell", x, y, x + far, y), "empty"),
        (voc.Box("cell", x + far, y, x, y + far), "reversed"),
        (voc.Box("cell", x, y, WIDTH + far, y + far), "outside"),
        (voc.Box("cell", -far, y, x + far, y + far), "outside"),
        (voc.Box("Cell", x, y, old.xmax, old.ymax), "only by case or blanks"),
        (label.boxes[i - 1], "alike"),
    ]
    box, says = bad[rng.integers(len(bad))]
    boxes = (*label.boxes[:i], box, *label.boxes[i + 1 :])
    voc.write(xml, voc.Annotation(label.filename, *SIZE, boxes))
    return xml, says


KINDS = [
    flipped_byte,
    cut_xml,
    lost_element,
    lost_tag,
    garbage_number,
    entity_bomb,
    deep_nesting,
    wrong_encoding,
    huge_size,
    other_xml,
    other_content,
    other_format,
    zero_bytes,
    not_a_file,
    link_to_nowhere,
    looping_folder,
    cut_photo,
    bad_photo_header,
    decompression_bomb,
    lost_partner,
    bad_box,
]
CASES = [(kind, seed) for kind in KINDS for seed in SEEDS]
CASES += [(bad_box, seed) for seed in range(len(SEEDS), 200 - len(CASES) + len(SEEDS))]


def contents(folder):
    """Each name, what kind of thing it is, when it was changed, and a hash of what it holds."""
    return {
        path.name: (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None,
        )
        for path in folder.iterdir()
    }


@contextmanager
def bounded():
    def too_late(*_):
        raise AssertionError(f"hung for {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_broken_input_is_named_and_left_alone(tmp_path, kind, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    xml, photo = sound_folder(tmp_path, rng)
    assert check(tmp_path).findings == []
    broken, says = kind(xml, photo, rng)
    before = contents(tmp_path)
    with bounded():
        findings = check(tmp_path).findings
    assert contents(tmp_path) == before
    said = [finding.problem for finding in findings if finding.file == broken]
    assert any(re.search(says, problem) for problem in said), findings
    assert all(finding.problem and finding.cure for finding in findings)
    assert not [finding for finding in findings if finding.file.stem == "b"], "it is in order"
    with bounded():
        list(mend(tmp_path))
        assert list(mend(tmp_path)) == []


def test_there_are_two_hundred():
    assert len(CASES) == len(set(CASES)) == 200
