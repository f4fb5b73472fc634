"""The shipped checkpoint can be made again, and made from an earlier one."""

import pytest

from cellcount.commands import main
from cellcount.counting import any_cell
from cellcount.counting.counter import Counter
from cellcount.detector import head_start
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.render import render_folder


def test_pretraining_goes_on_and_saves_what_counting_needs(icevision, tmp_path):
    import torch

    looks, out = [tmp_path / "a", tmp_path / "b"], tmp_path / "models" / "new.pth"
    for seed, look in enumerate(looks):
        render_folder(look, photos=3, seed=seed, size=512, cells=(20, 30))
    xml = min(looks[0].glob("*.xml"))  # another class, which is a cell all the same
    label = voc.read(xml)
    xml.write_text(xml.read_text().replace(label.boxes[0].label, "Other"))
    command = ["pretrain", str(out), *map(str, looks), "--epochs", "1"]
    assert main.main([*command, "--start", str(head_start.SHIPPED)]) == 0
    stored, shipped = (torch.load(file, weights_only=True) for file in (out, head_start.SHIPPED))
    name = "bbox_head.vfnet_cls.weight"
    moved = (stored["state_dict"][name] - shipped["state_dict"][name]).abs()
    # Two steps change little, but they do; from the beginning it would be another network.
    assert 0 < moved.mean() < 0.3 * shipped["state_dict"][name].abs().mean()
    counter = Counter(out)
    assert counter.classes == ["cell"]
    assert counter.calibration is not None
    assert len(counter.calibration.labelled) == 2  # one photo of each look was set aside
    assert counter.usual is not None and counter.usual.view == 512
    count = counter.count(min(looks[1].glob("*.jpg")))
    assert count.low <= count.n <= count.high


@pytest.mark.parametrize(
    ("photos", "start", "said"), [(2, "gone.pth", "not there"), (1, None, "two or more")]
)
def test_what_cannot_be_trained_from_is_told(icevision, tmp_path, photos, start, said):
    render_folder(tmp_path / "photos", photos=photos, seed=8, size=256, cells=(3, 3))
    with pytest.raises(CellCountError, match=said):
        any_cell.make(tmp_path / "m.pth", [tmp_path / "photos"], epochs=1, seed=0, start=start)
