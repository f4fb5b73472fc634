"""What Windows and macOS have otherwise, as far as it can be put on here."""

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
