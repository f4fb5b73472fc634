"""Python, torch and NumPy as such: names that are gone, warnings that tell a reader nothing."""

import logging
import warnings
from types import ModuleType

from icevision_bridge.patches import Mending, overlay, patch


def with_numpy_aliases(module: ModuleType) -> None:
    """Give ``module`` a NumPy that still has ``np.int`` and ``np.float`` (gone since 1.24)."""
    import numpy as np

    module.np = overlay(np, int=int, float=float)  # type: ignore[attr-defined]


def _numpy_aliases(module: str, library: str) -> None:
    @patch(
        module,
        library=library,
        breaks="it uses np.int or np.float, which left NumPy in 1.24",
        until=f"{library} uses int and float",
    )
    def numpy_aliases_are_gone() -> Mending:
        with_numpy_aliases((yield))


for _module, _library in {
    "icevision.visualize.draw_data": "icevision",
    "icevision.visualize.utils": "icevision",
    "mmdet.core.bbox.samplers.iou_balanced_neg_sampler": "mmdet",
    "mmdet.datasets.custom": "mmdet",
    "yolov5.utils.general": "yolov5-icevision",
    "yolov5.utils.datasets": "yolov5-icevision",
}.items():
    _numpy_aliases(_module, _library)


def _scripted(module: str, library: str) -> None:
    @patch(
        module,
        library=library,
        breaks="torch warns that torch.jit.script, used while it loads, is deprecated",
        until=f"{library} no longer scripts",
    )
    def torch_deprecates_scripting() -> Mending:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
            yield


for _module, _library in {"fastai.layers": "fastai", "effdet": "effdet"}.items():
    _scripted(_module, _library)


@patch(
    "torch.utils.cpp_extension",
    library="torch",
    breaks="it warns about a missing CUDA runtime on every machine without one",
    until="mmcv no longer looks for a compiler while it loads",
)
def no_cuda_is_no_news() -> Mending:
    logger = logging.getLogger("torch.utils.cpp_extension")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)
