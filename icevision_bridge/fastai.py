"""fastai 2.8: what it prints on a machine without a GPU."""

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
