"""What is loaded when it is touched: not before, and then as if it had been there all along."""

import subprocess
import sys
from importlib import import_module

import pytest

from icevision_bridge.lazy import called_lazily, loaded_lazily
from tests.conftest import ROOT

PACKAGE = {
    "late/__init__.py": "print('late'); from late.words import word as first; ANSWER = 42",
    "late/words.py": "word = 'word'\nclass Word: pass",
    "late/apart.py": "print('apart'); NAME = 'apart'",
}


@pytest.fixture
def late(tmp_path, monkeypatch):
    """A package that says when it is loaded, and is forgotten again."""
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [one for one in sys.modules if one.split(".")[0] == "late"]:
        del sys.modules[name]


def run(code: str) -> list[str]:
    """The lines that ``code`` prints in a Python of its own, behind the bridge."""
    start = "import sys, cellcount as cc; cc.apply_bridge()\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_module_is_loaded_at_the_first_touch_and_only_once(late, capsys):
    with loaded_lazily("late"):
        import late as taken
    assert "late" not in sys.modules
    assert capsys.readouterr().out == ""
    assert taken.ANSWER == 42
    assert "ANSWER" in dir(taken)
    assert taken.words is sys.modules["late.words"]
    import late as real

    assert taken is not real
    assert real.words.Word is taken.words.Word
    assert capsys.readouterr().out == "late\n"


def test_module_of_a_postponed_package_loads_neither(late, capsys):
    with loaded_lazily("late", "late.apart"):
        import late as package
        import late.apart as taken
    assert capsys.readouterr().out == ""
    assert taken.NAME == package.apart.NAME == "apart"
    assert capsys.readouterr().out == "late\napart\n"


@pytest.mark.parametrize(
    "statement", ["from late import ANSWER", "import late.apart", "from late.words import Word"]
)
def test_what_cannot_wait_is_loaded_within_the_block(late, capsys, statement):
    with loaded_lazily("late"):
        exec(statement, {})
        assert capsys.readouterr().out.startswith("late\n")
        real = sys.modules["late"]
    assert sys.modules["late"] is real
    assert real.ANSWER == 42


def test_absent_and_loaded_modules_are_left_alone():
    with loaded_lazily("no_such_module", "json"):
        with pytest.raises(ModuleNotFoundError):
            import_module("no_such_module")
        import json

        assert json.loads("42") == 42
        assert sys.modules["json"] is json


def test_looking_at_all_modules_loads_none(late, capsys):
    """inspect, which torch and notebooks ask for a function's module, looks at every file."""
    import inspect

    with loaded_lazily("late", "late.apart"):
        inspect.getmodule(inspect.currentframe())
    assert capsys.readouterr().out == ""


def test_function_is_called_later(late, capsys):
    make = called_lazily("late.words", "Word")
    assert make.__name__ == "Word"
    assert capsys.readouterr().out == ""
    assert isinstance(make(), import_module("late.words").Word)


def test_walkthrough_loads_nothing_it_does_not_use():
    code = """
from icevision.all import *
backbone = models.mmdet.vfnet.backbones.efficientnet_lite0_fpn
model = models.mmdet.vfnet.model(backbone=backbone(pretrained=False), num_classes=2)
late = {"effdet", "sahi", "scipy.stats", "sklearn", "torch._dynamo", "wandb", "yolov5"}
print(sorted(late & set(sys.modules)))
import gc
print(gc.isenabled())
"""
    assert run(code) == ["[]", "True"]


def test_corners_work_at_the_first_touch():
    code = """
from icevision.all import *
print(models.ross.efficientdet is models.efficientdet, models.efficientdet.__name__)
print(models.ultralytics.yolov5.backbones.small.model_name)
print(models.inference_sahi.IceSahiModel.__name__)
print({"ross", "ultralytics", "mmdet"} <= set(dir(models)), hasattr(models, "no_such_family"))
print(sklearn.metrics.accuracy_score([1, 0], [1, 1]), fastai.F1Score().name)
names = {}
exec("from icevision.models import *", names)
print(names["ultralytics"] is models.ultralytics)
from icevision.models.ross.efficientdet import model
from icevision.models.ultralytics import yolov5
"""
    assert run(code) == [
        "True icevision.models.ross.efficientdet",
        "yolov5s",
        "IceSahiModel",
        "True False",
        "0.5 f1_score",
        "True",
    ]


def test_postponed_functions_do_what_they_did(icevision):
    """Photos are moved to another's colours by what scikit-learn fits, loaded only now."""
    import albumentations as A
    import numpy as np
    import torch
    import torchvision

    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    dark = (photo // 4).astype(np.uint8)
    adapt = A.PixelDistributionAdaptation([dark], (1, 1), lambda it: it, "standard", p=1)
    assert abs(adapt(image=photo)["image"].mean() - dark.mean()) < 2

    pooled = torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), torch.tensor([[0, 0, 0, 4, 4.0]]), 2)
    assert pooled.tolist() == [[[[1, 1], [1, 1]]]]


def test_yolov5_leaves_plots_alone():
    code = """
import matplotlib
matplotlib.use("svg")
matplotlib.rcParams["font.size"] = 7
from icevision.all import *
models.ultralytics.yolov5
print(matplotlib.get_backend(), matplotlib.rcParams["font.size"])
"""
    assert run(code) == ["svg 7.0"]


def test_library_loaded_before_costs_time_only():
    """What is postponed only to save time may be loaded before the bridge."""
    code = """
import sys, torchvision, albumentations, cellcount as cc
cc.apply_bridge()
import icevision.all
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr
