"""A real Dask cluster of separate processes counts as one process does, whatever kills it."""

import os
import subprocess
import sys

import pytest

from cellcount.commands import main
from cellcount.counting import cluster
from cellcount.counting.cluster import dask_cluster
from cellcount.errors import CellCountError
from tests.conftest import ROOT
from tests.counting.test_workers import (
    MODEL,
    command,
    copies,
    counts_of,
    rows_in,
    told,
    undisturbed,
    until,
)
from tests.shared.loopback import nobody
from tests.shared.workers import order, photos

distributed = pytest.importorskip(
    "distributed", reason="distributed is in requirements-cluster.txt"
)


@pytest.fixture(scope="module")
def running():
    """A scheduler that gives a photo up at the second death, and two workers with their nannies."""
    import dask

    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.deploy.lost-worker-timeout": "10 minutes",  # a busy machine starts slowly
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as made,
    ):
        yield made


def test_a_photo_that_kills_is_given_up_and_the_others_are_counted(running, tmp_path):
    names = [f"{number}.png" for number in range(12)] + ["deadly.png", "bad.png", "13.png"]
    made = photos(tmp_path, *names)
    found = told(dask_cluster(running.scheduler_address)(order(tmp_path), made))
    assert found.keys() == {*names}
    assert "has ended the process" in str(found.pop("deadly.png"))
    assert str(found.pop("bad.png")).endswith("bad.png: It is bad. Throw it away.")
    assert found == {photo.name: size for size, photo in enumerate(made) if photo.name in found}


def test_what_is_wrong_with_a_cluster_is_said_in_a_sentence(running, tmp_path, monkeypatch):
    address = running.scheduler_address
    gone, here = tmp_path / "gone.png", photos(tmp_path, "a.png")[0]
    for asked, photo, problem in (
        (order(tmp_path), gone, "does not see .*gone.png: put photos and model on a disk"),
        (order(tmp_path)._replace(model="0"), here, "does not find this model"),
        (order(tmp_path)._replace(made_by="0.0"), here, "install the same everywhere"),
        (order(tmp_path, "No such engine."), here, "No such engine"),
    ):
        with pytest.raises(CellCountError, match=problem):
            list(dask_cluster(address)(asked, [photo]))
    with pytest.raises(CellCountError, match="No Dask scheduler answers at"):
        list(dask_cluster(nobody().replace("http", "tcp"))(order(tmp_path), [gone]))
    with pytest.raises(CellCountError, match="No Dask scheduler answers at"):
        list(dask_cluster("nonsense://")(order(tmp_path), [gone]))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CellCountError, match=r"Dask is not installed.*requirements-cluster\.txt"):
        list(dask_cluster(address)(order(tmp_path), [gone]))


def test_a_cluster_without_workers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 5)
    with (
        distributed.LocalCluster(
            n_workers=0, dashboard_address=None, silence_logs=50, processes=False
        ) as empty,
        pytest.raises(CellCountError, match=r"No worker is left at .* goes on"),
    ):
        list(dask_cluster(empty.scheduler_address)(order(tmp_path), photos(tmp_path, "a.png")))


def kill_and_go_on(running, folder, table, kills, step):
    """Kill a worker, then the run, again and again; then let it end."""
    asked = command(folder, table, "--scheduler", running.scheduler_address)
    for _ in range(kills):
        run = subprocess.Popen(asked, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(table, rows_in(table) + step, run)
        with distributed.Client(running.scheduler_address) as client:
            os.kill(next(iter(client.run(os.getpid).values())), 9)
        until(table, rows_in(table) + step, run)
        run.kill()
        run.wait()
    done = subprocess.run(asked, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [24, 1000])
def test_dask_workers_that_are_killed_count_as_one_process_does(running, tmp_path, number):
    folder, table = tmp_path / "photos", tmp_path / "counts.csv"
    copies(folder, number, 64)
    truth = undisturbed(folder, tmp_path / "truth.csv")
    kill_and_go_on(running, folder, table, 3, number // 10)
    assert counts_of(table) == truth and len(truth) == number


def test_workers_and_scheduler_are_not_asked_for_at_once(tmp_path, capsys):
    asked = ["count", str(MODEL), str(tmp_path), "--workers", "2", "--scheduler", "tcp://a:1"]
    with pytest.raises(SystemExit):
        main.main(asked)
    assert "not allowed with" in capsys.readouterr().err
