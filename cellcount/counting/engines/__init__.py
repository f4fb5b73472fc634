"""What computes a detector: the quickest way that is installed and gives what torch gives.

``auto`` is OpenVINO where it is installed and the detector can be exported, else torch. The export
is made once and kept (:mod:`.cache`); counting with a kept one imports neither torch nor
IceVision, which takes most of the time that a count takes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellcount.counting.decoding import Recipe
from cellcount.counting.detections import Detections
from cellcount.counting.engines import cache, intel
from cellcount.counting.engines.fast import FastEngine
from cellcount.detector.bridging import apply_bridge
from cellcount.errors import CellCountError
from cellcount.setup.packages import INSTALL
from icevision_bridge.errors import BridgeError

ENGINES = ("auto", "openvino", "torch")
# How far an export may be off: in scores, and in pixels of what the detector sees.
_CLOSE = (1e-3, 0.05)
_told: set[str] = set()


class Engine(Protocol):
    """A detector that is ready to run.

    ``name`` says what computes it, ``classes`` are its classes without the background, ``meta`` is
    what its checkpoint says about counting. ``img_size`` is what each photo is resized to: a number
    of pixels a side, or (width, height).
    """

    name: str
    classes: list[str]
    meta: dict[str, Any]
    img_size: int | tuple[int, int]

    def prepare(self, photo: NDArray[np.uint8]) -> Any:
        """What can be done to a photo (height, width, 3) while another one is being computed."""

    def find(self, prepared: Any, threshold: float) -> Detections:
        """The boxes with a score above the threshold, in pixels of the photo."""


class _NotExportableError(Exception):
    """Says in a sentence why a detector stays with torch."""


def load(checkpoint: str | Path, engine: str = "auto") -> Engine:
    """The detector in a checkpoint.

    Args:
        checkpoint: its file.
        engine: one of :data:`ENGINES`.

    Raises:
        CellCountError: the file is missing or damaged, or this engine cannot run it.
    """
    if engine not in ENGINES:
        raise CellCountError(f"There is no engine {engine}: choose one of {', '.join(ENGINES)}.")
    if engine == "openvino" and not intel.installed():
        raise CellCountError(
            f"OpenVINO is not installed: install it ({INSTALL}), or choose the engine torch."
        )
    checkpoint = Path(checkpoint)
    if not checkpoint.is_file():
        raise CellCountError(
            f"The checkpoint {checkpoint} is not there: train.ipynb makes one, or check the name."
        )
    export = engine != "torch" and intel.installed()
    if export and (kept := _kept(checkpoint)):
        return kept
    apply_bridge()
    from icevision.models.checkpoint import model_from_checkpoint

    try:
        loaded = model_from_checkpoint(str(checkpoint))
    except BridgeError as error:
        raise CellCountError(str(error)) from error
    if export:
        try:
            return _exported(checkpoint, loaded)
        except _NotExportableError as reason:
            if engine == "openvino":
                raise CellCountError(f"{reason} Choose the engine torch.") from reason
            _tell(f"{reason} Torch counts with it instead, which takes longer.")
    return _torch(loaded)


def _kept(checkpoint: Path) -> FastEngine | None:
    found = cache.find(checkpoint)
    if found is None:
        return None
    try:
        run = intel.compiled(found.network, found.weights)
        return FastEngine("openvino", Recipe.from_json(found.recipe), run)
    except (ImportError, OSError, RuntimeError, KeyError, TypeError):  # it will be made again
        return None


def _exported(checkpoint: Path, loaded: dict[str, Any]) -> FastEngine:
    from cellcount.counting.engines import dense

    name = loaded["checkpoint"]["meta"].get("model_name", "This detector")
    built = dense.network(loaded)
    if built is None:
        raise _NotExportableError(f"{name} is no detector that can be exported to OpenVINO.")
    pixels = _noise(loaded["img_size"])
    expected = _numpy(built, pixels)
    recipe = dense.recipe(built, loaded)
    try:
        network, weights = intel.export(built, pixels)
        run = intel.compiled(network, weights)
        outputs = run(pixels)
    except Exception as error:  # exporters raise anything
        first = str(error).strip().partition("\n")[0]
        raise _NotExportableError(f"{name} cannot be exported to OpenVINO ({first}).") from error
    if not _alike(expected, outputs):
        raise _NotExportableError(f"Exported to OpenVINO, {name} finds other boxes than in torch.")
    if cache.keep(checkpoint, cache.Exported(network, weights, recipe.to_json())) is None:
        _tell(
            f"The exported detector cannot be kept beside {checkpoint}, nor in your cache folder: "
            "each start will take long. Make room there, or allow writing."
        )
    return FastEngine("openvino", recipe, run)


def _torch(loaded: dict[str, Any]) -> Engine:
    from cellcount.counting.engines import card, dense
    from cellcount.counting.engines.plain import PlainEngine

    built = dense.network(loaded)
    if built is None:
        return PlainEngine(loaded)
    pixels = _noise(loaded["img_size"])
    expected = _numpy(built, pixels)  # which also tells how many boxes each level has
    dense.fuse(built)
    if not _alike(expected, _numpy(built, pixels)):
        return PlainEngine(loaded)  # a network whose norms stand elsewhere than behind convolutions
    recipe = dense.recipe(built, loaded)
    built = card.placed(built)
    return FastEngine("torch", recipe, lambda pixels: _numpy(built, pixels))


def _alike(expected: Sequence[NDArray[np.float32]], outputs: Sequence[NDArray[np.float32]]) -> bool:
    """Whether two ways to compute a network give the same; numbers that are none never are."""
    close = (*_CLOSE, _CLOSE[0])[: len(expected)]
    return len(expected) == len(outputs) and all(
        a.shape == b.shape and bool(np.abs(a - b).max() <= far)
        for a, b, far in zip(expected, outputs, close, strict=True)
    )


def _numpy(built: Any, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    import torch

    from cellcount.counting.engines import card

    with card.inference():
        outputs = built(torch.from_numpy(pixels).to(built.mean.device))
        return [output.float().cpu().numpy() for output in outputs]


def _noise(size: int | tuple[int, int]) -> NDArray[np.uint8]:
    width, height = (size, size) if isinstance(size, int) else size
    return np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)


def _tell(sentence: str) -> None:
    if sentence not in _told:
        _told.add(sentence)
        print(sentence, file=sys.stderr)
