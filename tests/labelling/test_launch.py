"""What is looked at before labelImg opens: folder, order, classes, screen."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labelling import launch
from cellcount.labelling.labelimg import screen
from cellcount.labels import voc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("c10.png", "c9.png", "a.jpg"):
        Image.new("RGB", (40, 30)).save(tmp_path / name)
    return tmp_path


def label(folder: Path, stem: str, *labels: str) -> None:
    boxes = tuple(voc.Box(name, 1, 1, 9, 9) for name in labels)
    voc.write(folder / f"{stem}.xml", voc.Annotation(f"{stem}.png", 40, 30, boxes))


def test_the_folders_labels_come_most_frequent_first(folder: Path) -> None:
    assert launch.known_classes(folder) == []
    label(folder, "c9", "bud", "yeast", "yeast")
    label(folder, "c10", "yeast")
    (folder / "a.xml").write_text("<annotation>")
    assert launch.known_classes(folder) == ["yeast", "bud"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The classes that labelImg, which does not open, would have offered."""
    seen: list[list[str]] = []
    monkeypatch.setattr(launch, "_refuse_without_window", lambda: None)
    monkeypatch.setattr(launch, "_run", lambda _, classes: seen.append(list(classes)) or 0)
    return seen


def test_classes_are_those_asked_for_then_those_known_then_the_shipped_one(
    folder: Path, offered: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["label", str(folder)]) == 0
    assert "--classes" in capsys.readouterr().out
    label(folder, "c9", "yeast")
    assert main.main(["label", str(folder)]) == 0
    assert capsys.readouterr().out == f"1 of 3 photos in {folder} have labels.\n"
    assert main.main(["label", str(folder), "--classes", "bud", "yeast"]) == 0
    assert offered == [["Microalgae"], ["yeast"], ["bud", "yeast"]]


def test_what_cannot_be_labelled_is_refused(folder: Path, offered: list[list[str]]) -> None:
    with pytest.raises(CellCountError, match="no folder"):
        launch.label(folder / "gone")
    (folder / "none").mkdir()
    with pytest.raises(CellCountError, match="no photo"):
        launch.label(folder / "none")
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    with pytest.raises(CellCountError, match=r"a\.jpg and a\.png would share one a\.xml"):
        launch.label(folder)
    assert offered == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the X server of Linux")
@pytest.mark.parametrize("display", ["", ":987"])
def test_without_a_screen_it_says_so_in_one_line(
    folder: Path,
    display: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr(screen, "missing_libraries", lambda: [])
    monkeypatch.setattr(launch.packages, "installed", lambda _: object())
    assert main.main(["label", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "screen" in line
    assert "browser" in line


def test_missing_libraries_are_told_with_the_line_that_installs_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setattr(screen.sys, "platform", "linux")
    missing = ["libxcb-icccm.so.4", "libxcb-xinerama.so.0"]
    monkeypatch.setattr(screen, "missing_libraries", lambda: missing)
    monkeypatch.setattr(launch.packages, "installed", lambda _: object())
    assert main.main(["label", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "`sudo apt install libxcb-icccm4 libxcb-xinerama0`" in line


def test_without_labelimg_it_says_what_to_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch.packages, "installed", lambda _: None)
    with pytest.raises(CellCountError, match=r"labelImg is not installed here: run `bash"):
        launch.label(folder)


def test_a_labelimg_that_dies_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_refuse_without_window", lambda: None)
    dies = folder / "python"
    dies.write_text("#!/bin/sh\nkill -ABRT $$\n")
    dies.chmod(0o755)
    monkeypatch.setattr(launch.sys, "executable", str(dies))
    with pytest.raises(CellCountError, match="SIGABRT"):
        launch.label(folder)


def test_opencvs_qt_is_left_out_and_nothing_else() -> None:
    own = "/home/me/fonts"
    environment = {"QT_QPA_PLATFORM_PLUGIN_PATH": "/env/cv2/qt/plugins", "QT_QPA_FONTDIR": own}
    assert screen.without_opencvs_qt(environment) == {"QT_QPA_FONTDIR": own}
