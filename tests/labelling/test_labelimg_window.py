"""The real labelImg on a screen in memory, driven by mouse and keys; photos found by looking."""

import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.shared.screen import Labelling, marked, memory_screen, skip_without_screen, until


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    skip_without_screen()
    with memory_screen() as name:
        yield name


@pytest.fixture
def opened(display: str, tmp_path: Path) -> Iterator[Callable[..., Labelling]]:
    """Opens labelImg on a folder; whatever is open at the end is ended."""
    home = tmp_path / "home"
    home.mkdir()
    started: list[Labelling] = []

    def open_on(folder: Path, *options: str) -> Labelling:
        started.append(Labelling(display, folder, home, *options))
        return started[-1]

    yield open_on
    for one in started:
        one.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos: one as a camera held upright stores it, and two as they are."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    upright = marked(360, 480)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / "turned.jpg", exif=exif, quality=95, subsampling=0)
    assert ImageOps.exif_transpose(Image.open(folder / "turned.jpg")).size == upright.size
    marked().save(folder / "plain.png")
    marked().save(folder / "without  cells.png")
    (folder / ".cellcount-order.txt").write_text("turned.jpg\ngone.png\nplain.png\n")
    return folder


def boxes(xml: Path) -> np.ndarray:
    corners = ("xmin", "ymin", "xmax", "ymax")
    found = ElementTree.parse(xml).getroot().iter("bndbox")
    return np.array([[int(box.findtext(side, "")) for side in corners] for box in found])


def labels(xml: Path) -> list[str]:
    return [one.text or "" for one in ElementTree.parse(xml).getroot().iterfind("object/name")]


def saved(window: Labelling, xml: Path, number: int, verified: str | None = None) -> np.ndarray:
    def is_saved() -> bool:
        try:
            root = ElementTree.parse(xml).getroot()
        except (FileNotFoundError, ElementTree.ParseError):  # not yet, or still the damaged one
            return False
        return len(root.findall("object")) == number and root.get("verified") == verified

    until(is_saved, window.output)
    return boxes(xml)


def sound(output: str) -> bool:
    return not re.search("traceback|error|mistake|abort|ended by itself", output, re.IGNORECASE)


def test_boxes_lie_where_the_mouse_drew_them_on_a_turned_photo(
    opened: Callable[..., Labelling], folder: Path
) -> None:
    window = opened(folder, "--classes", "yeast", "bud")

    window.shows("turned.jpg")
    assert window.title().endswith("[1 / 3]")
    drawn = [window.draw(40, 160, 120, 300)]
    window.keys("ctrl+s")
    xml = folder / "turned.xml"
    assert np.abs(saved(window, xml, 1) - drawn).max() <= 1
    assert labels(xml) == ["yeast"]
    size = ElementTree.parse(xml).getroot().find("size")
    assert (size.findtext("width"), size.findtext("height")) == ("360", "480")

    fits = window.view()
    larger = window.wheel(4, 5, ctrl=True)
    assert larger.scale == pytest.approx(fits.scale + 0.5, abs=0.02)
    lower = window.wheel(5, 2)
    assert lower.scale == pytest.approx(larger.scale, abs=0.002)
    assert lower.y < larger.y - 10
    drawn.append(window.draw(200, 150, 281, 217))
    window.keys("ctrl+s")
    assert np.abs(saved(window, xml, 2) - drawn).max() <= 1

    assert sound(window.close())


def test_a_walk_through_the_photos_and_back(
    opened: Callable[..., Labelling], folder: Path, tmp_path: Path
) -> None:
    # The user's own labelImg has been left in another folder and mode.
    settings = tmp_path / "home" / ".labelImgSettings.pkl"
    settings.write_bytes(pickle.dumps({"savedir": str(tmp_path), "advanced": True}))
    before = settings.read_bytes()
    window = opened(folder, "--classes", "yeast", "bud")
    window.shows("turned.jpg")
    window.keys("d")
    window.shows("plain.png")
    corner = window.draw(200, 60, 260, 95, "b", "u", "d")
    window.keys("d")
    plain = folder / "plain.xml"
    assert np.abs(saved(window, plain, 1) - corner).max() <= 1
    assert labels(plain) == ["bud"]

    window.shows("without  cells.png")
    window.keys("space")
    empty = folder / "without  cells.xml"
    saved(window, empty, 0, verified="yes")
    assert ElementTree.parse(empty).getroot().findtext("filename") == "without  cells.png"

    window.keys("a")
    window.shows("plain.png")
    window.keys("ctrl+d", "a")
    assert len(saved(window, plain, 2)) == 2
    assert labels(plain) == ["bud", "bud"]  # the last box was selected, and was duplicated
    window.shows("turned.jpg")

    assert sound(window.close())
    assert settings.read_bytes() == before
    assert not (folder / "turned.xml").exists()  # it was only looked at


def test_a_key_says_of_which_class_a_box_is(opened: Callable[..., Labelling], folder: Path) -> None:
    window = opened(folder, "--classes", "yeast", "bud")
    window.shows("turned.jpg")
    xml = folder / "turned.xml"
    window.draw(40, 160, 120, 300)
    window.keys("2")
    window.draw(200, 150, 281, 217)
    window.keys("ctrl+s")
    saved(window, xml, 2)
    assert labels(xml)[1] == "bud"  # drawn after the key was pressed
    window.hand("mousemove", *window.view().to_screen(240, 180), "sleep", "0.1", "click", 1)
    window.keys("1", "9", "ctrl+s")
    until(lambda: labels(xml)[1] == "yeast", window.output)
    assert sound(window.close())


def test_a_folder_that_vanishes_takes_no_boxes_with_it(
    opened: Callable[..., Labelling], folder: Path
) -> None:
    window = opened(folder, "--classes", "yeast")
    window.shows("turned.jpg")
    window.keys("d")
    window.shows("plain.png")
    xml = folder / "plain.xml"
    window.draw(200, 60, 260, 95)
    window.draw(350, 60, 421, 175)
    assert sound(window.close())
    first = boxes(xml)

    window = opened(folder)
    window.shows("turned.jpg")
    window.keys("d")
    window.shows("plain.png")
    third = window.draw(60, 200, 130, 280)
    shutil.rmtree(folder)
    window.keys("ctrl+s")
    window.answer("Return")  # it says that the folder was gone
    now = saved(window, xml, 3)
    assert now[:2].tolist() == first.tolist()
    assert np.abs(now[2] - third).max() <= 1
    assert labels(xml) == ["yeast"] * 3  # the folder's own, this time
    assert sound(window.close())


def test_what_cannot_be_read_and_what_nobody_has_confirmed(
    opened: Callable[..., Labelling], folder: Path
) -> None:
    (folder / ".cellcount-order.txt").unlink()
    (folder / "broken.jpg").write_bytes((folder / "turned.jpg").read_bytes()[:300])
    torn = "<annotation><object><name>yeast</name><bndbox><xmin>5"
    (folder / "plain.xml").write_text(torn)
    by_a_model = (
        '<annotation verified="no"><filename>turned.jpg</filename><size><width>360</width>'
        "<height>480</height><depth>3</depth></size><object><name>yeast</name><bndbox><xmin>30"
        "</xmin><ymin>200</ymin><xmax>90</xmax><ymax>280</ymax></bndbox></object></annotation>"
    )
    (folder / "turned.xml").write_text(by_a_model)
    window = opened(folder)  # by name: broken, plain, turned, without cells

    window.answer("Return")  # that the photo cannot be opened
    window.keys("space", "ctrl+s", "ctrl+v", "d")
    window.answer("Return")  # that the boxes cannot be read
    window.shows("plain.png")
    box = window.draw(60, 200, 130, 280)
    window.keys("d")
    assert np.abs(saved(window, folder / "plain.xml", 1) - box).max() <= 1
    assert (folder / "plain.xml.damaged").read_text() == torn

    window.shows("turned.jpg")
    assert "press space" in window.title()
    box = window.draw(200, 150, 281, 217)
    window.keys("ctrl+s")
    assert saved(window, folder / "turned.xml", 2, verified="no").tolist()[0] == [30, 200, 90, 280]
    window.keys("space")
    saved(window, folder / "turned.xml", 2, verified="yes")
    until(lambda: "press space" not in window.title(), window.output)
    window.draw(120, 400, 180, 440)
    assert sound(window.interrupt())  # which saves
    saved(window, folder / "turned.xml", 3, verified="yes")
    assert not (folder / "broken.xml").exists()
