"""A graphics card without enough memory: a sentence on what to lower, and what it held is freed."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.patches import Mending, patch

# What torch and NVIDIA's libraries say of a card that is full; a processor's is called otherwise.
_FULL = ("out of memory", "ALLOC_FAILED")


@contextmanager
def enough_memory_or(error: BridgeError, free: Callable[[], None] | None = None) -> Iterator[None]:
    """Raise ``error`` in the place of torch's where a graphics card runs out of memory.

    A notebook keeps the last traceback, whose frames hold the tensors of what failed. They are
    emptied, or there would be no memory for a smaller try either.

    Args:
        error: to raise.
        free: lets go what else may hold such tensors.
    """
    try:
        yield
    except RuntimeError as full:
        if not any(said in str(full) for said in _FULL):
            raise
        traceback.clear_frames(full.__traceback__)
        if free is not None:
            free()
        raise error from None


@patch(
    "fastai.learner",
    library="fastai",
    breaks="a batch too large for a graphics card ends in a traceback without a cure, which holds "
    "the card's memory",
    until="fastai frees what a training held that failed",
)
def memory_stays_taken() -> Mending:
    module = yield
    fit = module.Learner.fit

    @wraps(fit)
    def fit_or_say(self: Any, *args: Any, **kwargs: Any) -> Any:
        def free() -> None:
            self._end_cleanup()
            self.loss_grad = None

        error = BridgeError(
            "The graphics card has too little memory for this training: lower the batch size, or "
            "the image size, or end what else runs on the card (nvidia-smi lists it)."
        )
        with enough_memory_or(error, free):
            return fit(self, *args, **kwargs)

    module.Learner.fit = fit_or_say
