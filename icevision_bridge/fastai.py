"""fastai 2.8: what it does on a machine without an NVIDIA card."""

import warnings

from icevision_bridge.patches import Mending, patch


@patch(
    "fastai.vision.all",
    library="fastai",
    breaks="torch warns at every epoch that it pins no memory where there is no GPU",
    until="fastai asks for it only where there is a GPU",
)
def no_gpu_is_no_news() -> Mending:
    yield
    warnings.filterwarnings("ignore", message=".*pin_memory.*", category=UserWarning)


@patch(
    "fastai.torch_core",
    library="fastai",
    breaks="on a Mac it trains on the graphics part (MPS), where nobody has tried these models",
    until="somebody has tried them there",
)
def macs_graphics_are_taken() -> Mending:
    module = yield
    module._has_mps = lambda: False
