"""mmcv 1.7: operators without compiled code, and checkpoints that cannot run code."""

import logging
import re
import warnings
from functools import wraps
from pathlib import Path
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.patches import Mending, lend, overlay, patch

_BEGINNINGS = (b"PK", b"\x80")  # of the ZIP archives that torch writes, and of pickles before them


@patch(
    "mmcv",
    library="mmcv",
    breaks="it announces, at every start, a release of 2023",
)
def release_is_announced() -> Mending:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="On January 1, 2023", category=UserWarning)
        yield


def _plain_regex(module: str) -> None:
    @patch(
        module,
        library="mmcv",
        breaks="on Windows it wants the package regex, for patterns that Python's own re knows",
    )
    def regex_is_missing() -> Mending:
        with lend("regex", **vars(re)):
            yield


for _module in ("mmcv.utils.config", "mmcv.cnn.bricks.plugin"):
    _plain_regex(_module)


@patch(
    "mmcv.utils.logging",
    library="mmcv",
    breaks="building a model logs hundreds of lines on how each layer was initialised",
)
def layers_are_logged() -> Mending:
    module = yield
    get_logger = module.get_logger

    @wraps(get_logger)
    def get_calm_logger(
        name: str, log_file: Any = None, log_level: int = logging.WARNING, file_mode: str = "w"
    ) -> logging.Logger:
        return get_logger(name, log_file, log_level, file_mode)

    module.get_logger = get_calm_logger


@patch(
    "mmcv.ops",
    library="mmcv",
    breaks="its operators are compiled code, built for torch <= 2.4 and Python <= 3.11 only",
)
def operators_are_not_compiled() -> Mending:
    from icevision_bridge import ops

    ops.install()
    yield
    ops.accept_empty()


@patch(
    "mmcv.runner.checkpoint",
    library="mmcv",
    breaks="it loads whatever a pickle builds, so a checkpoint file could run any code",
)
def checkpoints_can_run_code() -> Mending:
    import torch

    module = yield
    module.torch = overlay(torch, load=load_weights)


def load_weights(file: Any, map_location: Any = None) -> Any:
    """``torch.load`` that builds tensors and plain Python values and refuses everything else.

    Raises:
        BridgeError: the file is damaged, or wants to run code to be loaded.
    """
    import numpy as np
    import torch

    # Checkpoints of 2021 keep NumPy scalars (seeds, scores) in their meta data.
    harmless: list[Any] = [np.ndarray, np.dtype, np.dtypes.Float64DType, np.dtypes.Int64DType]
    multiarray = getattr(np, "_core", np.core).multiarray
    harmless += [multiarray.scalar, multiarray._reconstruct]
    torch.serialization.add_safe_globals(harmless)
    try:
        return torch.load(file, map_location=map_location or "cpu", weights_only=True)
    except Exception as error:  # damaged files make it raise anything
        raise BridgeError(f"{getattr(file, 'name', file)} {_problem(file, error)}") from error


def _problem(file: Any, error: Exception) -> str:
    """Why a file cannot be loaded as weights, and what to do."""
    path = Path(str(getattr(file, "name", file)))
    start = path.read_bytes()[:64] if path.is_file() else b""
    if start.startswith(b"version https://git-lfs"):
        return "only stands for the checkpoint, which Git LFS keeps elsewhere: run `git lfs pull`."
    if start and not start.startswith(_BEGINNINGS):
        return "is no checkpoint, whatever its name says: copy or download the right file."
    if "weights_only" in str(error) or "Unsupported" in str(error):
        return (
            "was not loaded because it holds program code besides weights, which could do anything "
            "on this computer: ask its sender for one that was saved with "
            "save_icevision_checkpoint."
        )
    return "cannot be read as a checkpoint; it is damaged or incomplete: copy or download it again."
