"""Torch on a graphics card where there is one: as exact as on a processor, or an error to read."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from cellcount.errors import CellCountError
from icevision_bridge.memory import enough_memory_or


def placed(model: Any) -> Any:
    """The model, on the graphics card if there is one.

    Raises:
        CellCountError: the card has too little memory.
    """
    with _enough_memory():
        return model.to("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def inference() -> Iterator[None]:
    """No gradients, and convolutions in 32 bits: by itself a card rounds what goes in to 19.

    Raises:
        CellCountError: the card has too little memory.
    """
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with _enough_memory(), torch.inference_mode(), exact:
        yield


def _enough_memory() -> AbstractContextManager[None]:
    return enough_memory_or(
        CellCountError(
            "The graphics card has too little memory to count: end what else runs on it "
            "(nvidia-smi lists it), take fewer --workers, or set CUDA_VISIBLE_DEVICES=-1 to count "
            "without it."
        )
    )
