"""What Windows and macOS have otherwise, as far as it can be put on here."""

import multiprocessing
import platform
import re
import sys
from importlib import import_module
from importlib.util import module_from_spec

import pytest
import torch

from icevision_bridge.patches import PatchFinder


@pytest.mark.parametrize("module", ["mmcv.utils.config", "mmcv.cnn.bricks.plugin"])
def test_mmcv_asks_for_no_package_regex_on_windows(monkeypatch, module):
    package = import_module(module.rpartition(".")[0])
    (finder,) = (one for one in sys.meta_path if isinstance(one, PatchFinder))
    spec = finder.find_spec(module, package.__path__)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    assert loaded.re.sub is re.sub


def test_a_macs_graphics_are_left_alone(monkeypatch):
    from fastai.torch_core import default_device

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert default_device() == torch.device("cpu")


def test_photos_are_loaded_here_where_processes_are_spawned(icevision, monkeypatch):
    """What IceVision collates with cannot be pickled for them."""
    asked = {"batch_size": 1, "num_workers": 2, "persistent_workers": True, "timeout": 60}
    vfnet = icevision.models.mmdet.vfnet
    assert vfnet.infer_dl([], **asked).num_workers == 2
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(multiprocessing.context._default_context, "_actual_context", spawn)
    loader = vfnet.train_dl([1], shuffle=True, **asked)
    assert (loader.num_workers, loader.persistent_workers, loader.timeout) == (0, False, 0)
    adapters = icevision.engines.fastai.adapters
    assert adapters.convert_dataloaders_to_fastai([loader])[0].fake_l.num_workers == 0
