"""The table of counts: a row for every photo, whatever stops the counting."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.commands.counting import SOME_FAILED
from cellcount.counting.count import Count, Number
from cellcount.counting.counter import Counter
from cellcount.counting.table import CountTable, names_of, read_counts
from cellcount.errors import CellCountError
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = ROOT / "data" / "not_labeled"


def rows_of(table):
    with table.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def a_count(name, n=5):
    return Count(
        name, n, np.empty((0, 4)), np.empty(0), n - 1, n + 1,
        by_class={"=a": Number(n - 1, 0, n), "b": Number(1)}, why=(), tile=320,
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """Three photos, one of them cut short and one with a name that is a formula."""
    folder = tmp_path / "photos"
    folder.mkdir()
    first, second = sorted(PHOTOS.glob("*.png"))[:2]
    (folder / "=1+1.png").write_bytes(first.read_bytes())
    (folder / "b.png").write_bytes(second.read_bytes())
    (folder / "cut.png").write_bytes(second.read_bytes()[:3000])
    return folder


def test_every_photo_has_a_row_and_the_same_command_goes_on(photos, tmp_path, capsys):
    table = tmp_path / "out" / "counts.csv"
    command = ["count", str(MODEL), str(photos), "--out", str(table)]
    assert main.main(command) == SOME_FAILED
    assert "1 of 3 photos could not be counted" in capsys.readouterr().out
    first = rows_of(table)
    by_photo = {row["photo"]: row for row in first}
    assert by_photo.keys() == {"'=1+1.png", "b.png", "cut.png"}
    assert by_photo["cut.png"]["trust"] == "failed" and "cut short" in by_photo["cut.png"]["why"]
    assert by_photo["cut.png"]["count"] == ""
    for row in first:
        assert row["model"].startswith("smear.pth ") and row["version"]
    # What was counted is not counted again; what failed is.
    (photos / "cut.png").write_bytes((photos / "b.png").read_bytes())
    seconds = {row["photo"]: row["seconds"] for row in first}
    assert main.main(command) == 0
    second = {row["photo"]: row for row in rows_of(table)}
    assert second["b.png"] == by_photo["b.png"] and second["'=1+1.png"] == by_photo["'=1+1.png"]
    assert second["cut.png"]["count"] == second["b.png"]["count"]
    assert seconds["b.png"] == second["b.png"]["seconds"]
    assert list(tmp_path.glob("out/.*")) == []
    # Another threshold, another table; then a photo that has changed since.
    assert main.main([*command, "--threshold", "0.9"]) == 0
    assert {row["options"] for row in rows_of(table)} == {"threshold 0.9"}
    assert main.main(command) == 0
    Image.new("RGB", (256, 256)).save(photos / "b.png")
    later = time.time() + 10
    os.utime(photos / "b.png", (later, later))
    assert main.main(command) == 0
    assert {row["photo"]: row["trust"] for row in rows_of(table)}["b.png"] == "look"


def test_nothing_counted_leaves_an_older_table_and_says_so(tmp_path, capsys):
    table, photo = tmp_path / "counts.csv", tmp_path / "no.png"
    photo.write_bytes(b"hi")
    command = ["count", str(MODEL), str(photo), "--out", str(table)]
    table.write_text("photo,count\nyesterday.jpg,80\n")
    assert main.main(command) == 1
    assert "No photo was counted" in capsys.readouterr().err
    assert read_counts(table) == {"yesterday.jpg": 80}
    table.unlink()
    assert main.main(command) == 1
    assert [row["trust"] for row in rows_of(table)] == ["failed"]


def test_what_killed_the_counting_costs_one_photo_at_most(tmp_path):
    """Three times kill -9 at some moment: in the end each photo has one row."""
    folder, table = tmp_path / "photos", tmp_path / "counts.csv"
    folder.mkdir()
    rng, source = np.random.default_rng(0), sorted(PHOTOS.glob("*.png"))
    for number in range(60):
        (folder / f"{number}.png").write_bytes(source[number % len(source)].read_bytes())
    command = [sys.executable, "-m", "cellcount", "count", str(MODEL), str(folder)]
    command += ["--out", str(table)]
    seen = 0
    for _ in range(3):
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        more = seen + int(rng.integers(1, 8))
        deadline = time.monotonic() + 120
        while not table.exists() or table.read_bytes().count(b"\n") - 1 < more:
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
        seen = table.read_bytes().count(b"\n") - 1
    with table.open("a") as file:
        file.write("59.png,999,1")  # as power that goes would leave it
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    rows = rows_of(table)
    assert sorted(row["photo"] for row in rows) == sorted(f"{n}.png" for n in range(60))
    counter = Counter(MODEL)
    truth = [counter.count(photo).n for photo in source]
    for row in rows:
        assert int(row["count"]) == truth[int(row["photo"][:-4]) % len(source)]


def test_a_table_gives_back_what_was_written(tmp_path):
    path, photos = tmp_path / "t.csv", {"a.png": tmp_path / "a.png", "ä\udce4.png": tmp_path}
    (tmp_path / "a.png").touch()
    with CountTable(path, ["=a", "b"], "m", "") as table:
        assert table.kept(photos) == {}
        for name in photos:
            table.add(a_count(name), 0.5)
        os.utime(path, (time.time() + 10, time.time() + 10))
    with CountTable(path, ["=a", "b"], "m", "") as table:
        found = table.kept(photos)
    for name in photos:
        for part in ("photo", "n", "low", "high", "by_class", "why", "tile"):
            assert getattr(found[name], part) == getattr(a_count(name), part)
    for other in (["b"], "m", ""), (["=a", "b"], "n", ""), (["=a", "b"], "m", "tile 3"):
        with CountTable(path, *other) as table:
            assert table.kept(photos) == {}
    assert path.read_bytes().startswith(b"\xef\xbb\xbfphoto,")
    assert len(rows_of(path)) == 2
    os.utime(path, (time.time() + 10, time.time() + 10))
    with CountTable(path, ["=a", "b"], "m", "") as table:  # a photo that is gone costs no other
        gone = {"a.png": tmp_path / "gone.png", **dict([*photos.items()][1:])}
        assert table.kept(gone).keys() == {"ä\udce4.png"}


def test_two_runs_do_not_write_one_table(tmp_path):
    path, other = tmp_path / "t.csv", CountTable(tmp_path / "t.csv", [], "m", "")
    with CountTable(path, [], "m", ""), pytest.raises(CellCountError, match="another run"):
        other.__enter__()
    with CountTable(path, ["=a", "b"], "m", "") as table:
        table.add(a_count("a.png"), 0)


def test_photos_of_one_name_stay_two(tmp_path):
    given = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "a" / "1.png"]
    assert names_of(given) == {"a/1.png": given[0], "b/1.png": given[1]}
    assert names_of(given[:1]) == {"1.png": given[0]}
    assert names_of([]) == {}


def test_what_a_folder_holds_besides_photos_is_told(photos, tmp_path, capsys):
    (photos / "cut.png").unlink()
    (photos / "deep" / "er").mkdir(parents=True)
    (photos / "deep" / "er" / "b.png").write_bytes((photos / "b.png").read_bytes())
    (photos / "deep" / "er" / "round").symlink_to(photos)
    (photos / "notes.docx").touch()
    (photos / "b.xml").touch()
    table = tmp_path / "counts.csv"
    command = ["count", str(MODEL), str(photos), "--out", str(table)]
    assert main.main(command) == 0
    said = capsys.readouterr().out
    assert (
        "not entered: 1 (deep)" in said and "no photos, as their names say: 1 (notes.docx)" in said
    )
    assert main.main([*command, "--recursive"]) == 0
    assert read_counts(table).keys() == {"'=1+1.png", "b.png", "deep/er/b.png"}


@pytest.mark.parametrize("threshold", ["50", "nan", "-1"])
def test_threshold_that_means_nothing_is_refused(photos, threshold, capsys):
    assert main.main(["count", str(MODEL), str(photos), f"--threshold={threshold}"]) == 1
    assert "scores lie from 0 to 1" in capsys.readouterr().err
