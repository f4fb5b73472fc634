"""Several processes count as one does, whatever kills them."""

import csv
import pickle
import random
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from cellcount.counting.counter import Counter
from cellcount.counting.workers import DEATHS, processes
from cellcount.errors import CellCountError
from tests.conftest import ROOT
from tests.shared.workers import order, photos

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = ROOT / "data" / "not_labeled"


def counts_of(table):
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len({row["photo"] for row in rows}) == len(rows)
    return {row["photo"]: (row["count"], row["low"], row["high"]) for row in rows}


def copies(folder, number, side):
    """Small photos, each another part of a bundled one."""
    folder.mkdir()
    sources, rng = [Image.open(path) for path in sorted(PHOTOS.glob("*.png"))], random.Random(0)
    for one in range(number):
        source = sources[one % len(sources)]
        left, top = (rng.randrange(length - side) for length in source.size)
        source.crop((left, top, left + side, top + side)).save(folder / f"{one}.png")


def told(counted):
    return {photo.name: getattr(told, "n", told) for photo, told, _ in counted}


def test_a_photo_that_kills_is_given_up_and_the_others_are_counted(tmp_path):
    names = [f"{number}.png" for number in range(12)] + ["deadly.png", "bad.png", "13.png"]
    made = photos(tmp_path, *names)
    found = told(processes(2)(order(tmp_path), made))
    assert found.keys() == {*names}
    assert f"ended the process {DEATHS} times" in str(found.pop("deadly.png"))
    assert str(found.pop("bad.png")).endswith("bad.png: It is bad. Throw it away.")
    assert found == {photo.name: size for size, photo in enumerate(made) if photo.name in found}


def test_processes_share_the_photos_and_end(tmp_path):
    made = photos(tmp_path, *(f"slow{number}.png" for number in range(60)))
    each = processes(2)(order(tmp_path), made)
    by = {next(each).told.photo for _ in range(40)}
    children = {str(child.pid) for child in psutil.Process().children()}
    assert len(by) == 2 and by <= children
    each.close()
    assert not by & {str(child.pid) for child in psutil.Process().children()}


@pytest.mark.parametrize(
    ("fault", "problem"),
    [("No such engine.", "No such engine"), ("dies while loading", "ask for fewer with --workers")],
)
def test_a_model_that_cannot_be_loaded_ends_the_run(tmp_path, fault, problem):
    with pytest.raises(CellCountError, match=problem):
        next(processes(2)(order(tmp_path, fault), photos(tmp_path, "a.png")))


def test_errors_of_our_own_are_not_hidden(tmp_path):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(processes(1)(order(tmp_path), photos(tmp_path, "wrong.png")))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [({"model": "0"}, "does not find this model"), ({"made_by": "0.0"}, "version .* and not 0.0")],
)
def test_other_models_and_versions_are_refused(tmp_path, changed, problem):
    asked = order(tmp_path)._replace(**changed)
    with pytest.raises(CellCountError, match=problem):
        list(processes(1)(asked, photos(tmp_path, "a.png")))


def test_a_counter_is_packed_as_it_was_asked():
    photo = sorted(PHOTOS.glob("*.png"))[0]
    counter = Counter(MODEL, 0.3, um_per_px=0.5)
    again, first = (one.count(photo) for one in (pickle.loads(pickle.dumps(counter)), counter))
    assert np.array_equal(again.boxes, first.boxes) and len(first.boxes)
    assert str(again) == str(first) and again.um_per_px == 0.5


def undisturbed(folder, table):
    counter = Counter(MODEL)
    counter.count_all(sorted(folder.iterdir()), table)
    return counts_of(table)


def command(folder, table, *more):
    asked = ["count", str(MODEL), str(folder), "--out", str(table), *more]
    return [sys.executable, "-m", "cellcount", *asked]


def rows_in(table):
    return table.read_bytes().count(b"\n") - 1 if table.exists() else 0


def until(table, number, run):
    deadline = time.monotonic() + 240
    while rows_in(table) < number:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


def a_worker(run):
    """One of the processes that count; the other child keeps track of shared memory."""
    children = psutil.Process(run.pid).children()
    return next(one for one in children if "spawn_main" in " ".join(one.cmdline()))


def kill_and_go_on(folder, table, kills, rng, number):
    """Kill a worker, then the run, again and again; then let it end."""
    asked = command(folder, table, "--workers", "2")
    for _ in range(kills):
        run = subprocess.Popen(
            asked, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(table, rows_in(table) + rng.randrange(1, max(2, number // (3 * kills))), run)
        killed = a_worker(run)
        killed.kill()
        until(table, rows_in(table) + rng.randrange(1, max(2, number // (3 * kills))), run)
        left = psutil.Process(run.pid).children()
        run.send_signal(signal.SIGKILL)
        run.wait()
        psutil.wait_procs(left, timeout=60)
        assert not any(one.is_running() and one.status() != "zombie" for one in left)
    done = subprocess.run(asked, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr


def test_two_workers_that_are_killed_count_as_one_process_does(tmp_path):
    folder, table = tmp_path / "photos", tmp_path / "counts.csv"
    copies(folder, 40, 96)
    truth = undisturbed(folder, tmp_path / "truth.csv")
    kill_and_go_on(folder, table, 1, random.Random(0), 40)
    assert counts_of(table) == truth and len(truth) == 40


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_thousand_photos_on_two_workers_killed_three_times(tmp_path, seed):
    folder, table = tmp_path / "photos", tmp_path / "counts.csv"
    copies(folder, 1000, 64)
    truth = undisturbed(folder, tmp_path / "truth.csv")
    kill_and_go_on(folder, table, 3, random.Random(seed), 1000)
    assert counts_of(table) == truth and len(truth) == 1000


@pytest.mark.slow
def test_a_thousand_photos_killed_three_times(tmp_path):
    folder, table = tmp_path / "photos", tmp_path / "counts.csv"
    copies(folder, 1000, 64)
    truth, rng = undisturbed(folder, tmp_path / "truth.csv"), random.Random(2)
    for _ in range(3):
        run = subprocess.Popen(
            command(folder, table), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(table, rows_in(table) + rng.randrange(1, 300), run)
        run.send_signal(signal.SIGKILL)
        run.wait()
    done = subprocess.run(command(folder, table), cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0
    assert counts_of(table) == truth and len(truth) == 1000
