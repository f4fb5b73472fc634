"""The shipped checkpoint can be made again, and made from an earlier one."""

import pytest

from cellcount.commands import main
from cellcount.counting.counter import Counter
from cellcount.detector import head_start, pretraining
from cellcount.errors import CellCountError
from cellcount.render import render_folder


def test_pretraining_goes_on_and_saves_what_counting_needs(icevision, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(pretraining, "_HELD_OUT", 2)
    folder, out = tmp_path / "photos", tmp_path / "models" / "new.pth"
    render_folder(folder, photos=4, seed=8, size=512, cells=(20, 30))
    command = ["pretrain", str(out), "--folder", str(folder), "--epochs", "1"]
    assert main.main([*command, "--start", str(head_start.SHIPPED)]) == 0
    stored, shipped = (torch.load(file, weights_only=True) for file in (out, head_start.SHIPPED))
    name = "bbox_head.vfnet_cls.weight"
    moved = (stored["state_dict"][name] - shipped["state_dict"][name]).abs()
    # Two steps change little, but they do; from the beginning it would be another network.
    assert 0 < moved.mean() < 0.3 * shipped["state_dict"][name].abs().mean()
    counter = Counter(out)
    assert counter.calibration is not None
    assert len(counter.calibration.labelled) == 2
    count = counter.count(min(folder.glob("*.jpg")))
    assert count.low <= count.n <= count.high


def test_start_that_is_not_there_is_told(icevision, tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "_HELD_OUT", 1)
    render_folder(tmp_path / "photos", photos=2, seed=8, size=256, cells=(3, 3))
    with pytest.raises(CellCountError, match="not there"):
        pretraining.pretrain(
            tmp_path / "m.pth",
            tmp_path / "photos",
            number=2,
            epochs=1,
            seed=0,
            start=tmp_path / "gone.pth",
        )
