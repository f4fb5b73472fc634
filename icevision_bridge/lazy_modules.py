"""What is loaded with IceVision though few notebooks touch it: it is loaded when it is touched."""

import gc
import inspect
import sys
from contextlib import ExitStack
from importlib import import_module
from types import ModuleType
from typing import Any
from unittest import mock

from icevision_bridge.lazy import called_lazily, loaded_lazily
from icevision_bridge.patches import Mending, lend, overlay, patch

UNTIL = "IceVision loads what it works with when it is asked for"
_LIBRARIES = (
    "effdet",
    "resnest",
    "sahi",
    "scipy.stats",
    "sklearn",
    "sklearn.metrics",
    "sklearn.mixture",
    "timm",
    "wandb",
    "yolov5",
)
# Names in icevision.models: the module of each, and the library it runs on.
_FAMILIES = {
    "efficientdet": ("ross.efficientdet", "effdet"),
    "ross": ("ross", "effdet"),
    "ultralytics": ("ultralytics", "yolov5"),
    "inference_sahi": ("inference_sahi", "sahi"),
}


@patch(
    "icevision",
    library="icevision",
    breaks="it loads every library it can work with, and Python looks through all that they define "
    "for garbage again and again: it takes twice as long to load as need be",
    until=UNTIL,
)
def every_library_is_loaded() -> Mending:
    collects = gc.isenabled()
    gc.disable()
    try:
        with loaded_lazily(*_LIBRARIES):
            yield
    finally:
        if collects:
            gc.freeze()  # what modules define is no garbage, and is not looked through again
            gc.enable()


@patch(
    "icevision.models",
    library="icevision",
    breaks="it loads every library's detectors, and sets the reader's own settings of Matplotlib "
    "back to make up for what YOLOv5 does to them",
    until=UNTIL,
)
def every_detector_is_loaded() -> Mending:
    from icevision.soft_dependencies import SoftDependencies

    homes = {
        name: home
        for name, (home, library) in _FAMILIES.items()
        if getattr(SoftDependencies, library)
    }
    with mock.patch.multiple(SoftDependencies, effdet=False, sahi=False, yolov5=False):
        module = yield

    def load_family(name: str) -> ModuleType:
        if name not in homes:
            raise AttributeError(f"module 'icevision.models' has no attribute {name!r}")
        return import_module(f"icevision.models.{homes[name]}")

    module.__getattr__ = load_family
    module.__all__ = [*(name for name in vars(module) if not name.startswith("_")), *homes]
    module.__dir__ = lambda: sorted({*vars(module), *homes})


@patch(
    "yolov5.utils.plots",
    library="yolov5-icevision",
    breaks="it takes charge of how Matplotlib draws, so that a notebook shows no plot any more",
    until="yolov5-icevision leaves global settings alone",
)
def drawing_is_reconfigured() -> Mending:
    import matplotlib

    with mock.patch.multiple(matplotlib, rc=lambda *_, **__: None, use=lambda *_: None):
        yield


def _hardly_called(module: str, library: str, what: str, needed: dict[str, list[str]]) -> None:
    """Postpone what ``module`` takes by name: for each home in ``needed`` its functions.

    Classes too, if they are only called: isinstance and subclasses need the class itself.
    """

    @patch(
        module,
        library=library,
        breaks=f"it loads {what} for a function that is hardly ever called",
        until=f"{library} imports that where it is called",
        optional=True,
    )
    def hardly_called_is_loaded() -> Mending:
        with ExitStack() as stack:
            for home, names in needed.items():
                functions = {name: called_lazily(home, name) for name in names}
                stack.enter_context(lend(home, instead=True, **functions))
            yield


_hardly_called(
    "torchvision.ops.roi_align",
    "torchvision",
    "torch.compile's machinery",
    {"torch._dynamo.utils": ["is_compile_supported"]},
)
_hardly_called(
    "albumentations.augmentations.domain_adaptation_functional",
    "albumentations",
    "scikit-learn",
    {
        "sklearn.decomposition": ["PCA"],
        "sklearn.preprocessing": ["MinMaxScaler", "StandardScaler"],
    },
)
_hardly_called(
    "fastai.data.transforms",
    "fastai",
    "scikit-learn",
    {"sklearn.model_selection": ["train_test_split"]},
)


@patch(
    "timm.layers.typing",
    library="timm",
    breaks="it loads torch.compile's machinery to keep one function from it",
    until="torch.compiler.disable loads it when it is needed",
    optional=True,
)
def compiler_is_loaded_to_be_disabled() -> Mending:
    from torch import _compile

    module = yield
    # What torch itself takes for this.
    module.disable_compiler = _compile._disable_dynamo


@patch(
    "mmcv.utils.registry",
    library="mmcv",
    breaks="it looks through the files of all modules to learn which one it is called from",
    optional=True,
)
def callers_are_searched_for() -> Mending:
    module = yield

    def module_of(frame: Any) -> ModuleType:
        return sys.modules[frame.f_globals["__name__"]]

    module.inspect = overlay(inspect, getmodule=module_of)
