"""Networks computed by OpenVINO, in float32: on processors, Intel's or not, the quickest found.

Left to itself OpenVINO computes in bfloat16 where the processor can, twice as fast, and scores move
by 0.02.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "EXECUTION_MODE_HINT": "ACCURACY",
    "PERFORMANCE_HINT": "LATENCY",  # all cores for one photo
}


def installed() -> bool:
    """Whether there is an OpenVINO to import."""
    return find_spec("openvino") is not None


def compiled(
    network: bytes, weights: bytes
) -> Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]]:
    """The function that runs an exported network.

    Raises:
        RuntimeError: this OpenVINO cannot read it, as when another version wrote it.
    """
    core = _core()
    settings: dict[str, str | int] = dict(_SETTINGS)
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():  # torch heeds it by itself
        settings["INFERENCE_NUM_THREADS"] = int(threads)
    request = core.compile_model(
        core.read_model(network, weights), "CPU", settings
    ).create_infer_request()

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        # The outputs lie in memory that the next photo overwrites.
        return [np.array(output) for output in request.infer([pixels]).values()]

    return run


@cache
def _core() -> Any:
    """The one OpenVINO of this process.

    Each sets the stack that signals are handled on, and puts back its predecessor's when it goes,
    which may be gone: the next signal, as of a child's end or Ctrl-C, would kill the process.
    """
    import openvino

    return openvino.Core()


def export(built: Any, pixels: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """Network and weights of a ``DenseNetwork`` for pixels of just this shape.

    Raises:
        Exception: whatever torch and OpenVINO raise where an operation cannot be exported.
    """
    import openvino
    import torch

    from cellcount.counting.engines.dense import exportable

    with warnings.catch_warnings(), torch.no_grad(), exportable():
        # Tracing warns of each size that becomes a constant, which is wanted here.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(built, torch.from_numpy(pixels), check_trace=False)
        model = openvino.convert_model(traced, input=[list(pixels.shape)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
