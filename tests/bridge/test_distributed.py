import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


SCRIPT = ["-m", "tests.shared.two_processes"]
SPREAD = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *SCRIPT]


def start(how, target, backbone):
    pytest.importorskip("accelerate", reason="accelerate is in requirements-dev.txt")
    return subprocess.Popen(
        [sys.executable, *how, target, backbone],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=500)
    assert process.returncode == 0, output


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What one process with batches of two, and two with batches of one, came to; all at once."""
    folder = tmp_path_factory.mktemp("runs")
    backbone = "efficientnet_lite0_fpn"
    started = [start(SCRIPT, folder / "alone", backbone), start(SPREAD, folder / "two", backbone)]
    for one in started:
        finish(one)
    return [json.loads((folder / name).read_text()) for name in ("alone.0", "two.0", "two.1")]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_with_twice_the_batch(runs):
    """VFNet divides its losses by the average over processes, and gradients are averaged too."""
    alone, first, second = runs
    # Two steps an epoch, then the validation: three photos for one, two each for two.
    steps = [0, 1, 5, 6], [0, 1, 4, 5]
    spread = [(first["losses"][step] + second["losses"][step]) / 2 for step in steps[1]]
    assert spread == pytest.approx([alone["losses"][step] for step in steps[0]], rel=1e-4)
    assert spread[-1] < 0.99 * spread[0]  # it learned, so the steps were not without effect
    assert first["losses"][0] != pytest.approx(second["losses"][0], rel=1e-2)
    assert first["gradients"] == pytest.approx(alone["gradients"], rel=1e-3)


@pytest.mark.slow
def test_weights_stay_the_same_in_all_processes(runs):
    _, first, second = runs
    assert first["weights"] == second["weights"]


@pytest.mark.slow
def test_metrics_judge_every_photo_once_in_every_process(runs):
    for run in runs:
        assert sorted(run["judged"]) == sorted(["0", "1", "2"] * 2)


@pytest.mark.slow
def test_stages_that_a_resnet_freezes_are_not_waited_for(tmp_path):
    finish(start(SPREAD, tmp_path / "two", "resnet50_fpn_mstrain_2x"))
    first, second = (json.loads((tmp_path / f"two.{rank}").read_text()) for rank in (0, 1))
    assert first["weights"] == second["weights"]
