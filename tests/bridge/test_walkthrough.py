"""The walkthrough's own code runs, and lr_find says why when it can suggest no rate."""

import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from icevision_bridge.errors import BridgeError
from tests.conftest import ROOT

TELL = """
print(*learn.recorder.metrics, pred_dict["img"].size, img.size, img_size)
print(len(pred_dict["detection"]["bboxes"]), plt.get_fignums())
"""


@pytest.mark.slow
def test_walkthrough_runs_as_it_was_written(tmp_path):
    """From the parser to ``end2end_detect``, with loaders in four processes."""
    shutil.copytree(ROOT / "data" / "labeled", tmp_path / "data" / "labeled")
    (tmp_path / "data" / "not_labeled").mkdir()
    (tmp_path / "models").mkdir()
    photo = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[0]
    shutil.copy(photo, tmp_path / "data" / "not_labeled" / "photo.png")
    script = (ROOT / "tests" / "shared" / "walkthrough.py").read_text(encoding="utf-8")
    for written, here in (("pretrained=True", "pretrained=False"), ("size = 640", "size = 128")):
        assert written in script
        script = script.replace(written, here)
    done = subprocess.run(
        [sys.executable, "-c", script + TELL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = Image.open(photo).size
    assert f"{shown} {shown} 128" in done.stdout
    assert (tmp_path / "models" / "model_checkpoint.pth").stat().st_size > 100e6


class _Line:
    """A learner of one weight, whose loss is what the test says at each step."""

    def __init__(self, losses, tmp_path):
        import torch
        from fastai.vision.all import DataLoaders, Learner

        losses = iter(losses)
        batches = [(torch.ones(1, 1), torch.ones(1, 1))] * 100
        self.learner = Learner(
            DataLoaders(batches, batches),
            torch.nn.Linear(1, 1),
            loss_func=lambda found, _: found.sum() * 0 + next(losses),
            path=tmp_path,
        )

    def lr_find(self):
        with self.learner.no_bar():
            return self.learner.lr_find(show_plot=False)


def test_a_rate_is_suggested_when_the_first_loss_is_by_far_the_least(tmp_path):
    """Few cells on the first photos: a small loss there, and large ones afterwards."""
    suggested = _Line([0.01, *(3 - step / 100 for step in range(99))], tmp_path).lr_find()
    assert 1e-7 < suggested.valley < 10


def test_losses_that_are_no_numbers_from_the_start_are_told(tmp_path):
    with pytest.raises(BridgeError, match="smaller rates"):
        _Line([float("nan")] * 100, tmp_path).lr_find()


def test_a_loss_that_explodes_still_ends_the_search(tmp_path):
    line = _Line([*([1.0] * 40), *([100.0] * 60)], tmp_path)
    line.lr_find()
    assert 40 < len(line.learner.recorder.losses) < 60
