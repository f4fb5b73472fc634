"""The command line says plainly what went wrong, and how far it came."""

import io
import subprocess
import sys

import pytest

from cellcount.commands import demo, main
from cellcount.labels import voc
from cellcount.render import render_folder
from tests.conftest import ROOT


def test_help_names_every_command():
    done = subprocess.run(
        [sys.executable, "-m", "cellcount", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    commands = [
        "doctor",
        "demo",
        "app",
        "count",
        "report",
        "check",
        "import",
        "export",
        "evaluate",
        "crossval",
        "label",
        "prelabel",
        "data",
        "train",
        "render",
        "pretrain",
        "models",
    ]
    for command in commands:
        assert command in done.stdout


def test_render_writes_what_was_asked(tmp_path, capsys):
    asked = ["render", str(tmp_path / "more"), "--photos", "2", "--seed", "5", "--size", "256"]
    assert main.main([*asked, "--cells", "3", "4"]) == 0
    assert len(list((tmp_path / "more").glob("*.jpg"))) == 2
    assert len(list((tmp_path / "more").glob("*.xml"))) == 2
    assert "2 photos" in capsys.readouterr().out
    same = render_folder(tmp_path / "same", photos=2, seed=5, size=256, cells=(3, 4))
    for photo in same:
        assert (tmp_path / "more" / photo.name).read_bytes() == photo.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["count", "no.pth", "no-such-folder"], "no"),
        (["count", "no.pth", "data/not_labeled"], "train.ipynb makes one"),
        (
            ["count", "models/rendered.pth", "data/not_labeled", "--out", "README.md/counts.csv"],
            "choose another name",
        ),
        (["pretrain", "no.pth", "no-photos"], "no folder no-photos"),
    ],
)
def test_mistakes_get_one_sentence(arguments, says, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main.main(arguments) == 1
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_names_that_a_windows_console_cannot_write(tmp_path, monkeypatch):
    (tmp_path / "細胞").mkdir()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    assert main.main(["render", str(tmp_path / "細胞"), "--photos", "1", "--size", "128"]) == 0
    sys.stdout.flush()
    assert rb"\u7d30\u80de" in sys.stdout.buffer.getvalue()


def test_demo_runs_both_notebooks_and_compares_counts(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = tmp_path / "data" / "not_labeled" / "labels"
    labels.mkdir(parents=True)
    boxes = tuple(voc.Box("cell", 9 * i, 0, 9 * i + 8, 8) for i in range(10))
    voc.write(labels / "a.xml", voc.Annotation("a.jpg", 100, 80, boxes))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "counts.csv").write_text("photo,count\na.jpg,9\n")
    ran = []
    monkeypatch.setattr(demo, "run_notebook", lambda *paths: ran.append([str(p) for p in paths]))
    assert main.main(["demo"]) == 0
    assert ran == [[name, f"out/{name}"] for name in demo.NOTEBOOKS]
    said = capsys.readouterr().out
    assert "counts are 10 % off" in said and "real photos" in said


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_epochs_are_counted_from_one(epochs, capsys):
    with pytest.raises(SystemExit):
        main.main(["pretrain", "m.pth", "photos", "--epochs", epochs])
    assert "from 1 on" in capsys.readouterr().err
