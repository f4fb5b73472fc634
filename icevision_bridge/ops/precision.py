"""The number format in which a bridged kernel works, whatever format it is called with.

Under autocast mmcv hands its kernels bfloat16 or float16 tensors and wants the same back.
torchvision's CPU kernels know no bfloat16, and a sampling position in a 512 px map needs more than
the 8 to 11 significant bits of either. So a kernel works in float32, or in float64 if it was called
with that, and rounds only its result: ``output.copy_(...)`` does that by itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def widen(tensor: Tensor) -> Tensor:
    """``tensor`` in the format to compute in: float64 stays, any other becomes float32."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def is_autocast_on(device: str) -> bool:
    """Whether autocast is on for a type of device; False for one that has no autocast."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def autocast_off(device: str) -> AbstractContextManager:
    """No autocast on a type of device within; nothing to do for one that has none."""
    if not is_autocast_on(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function``, whose first argument is a tensor of floats, outside autograd and autocast.

    mmcv's autograd functions call kernels for bare numbers, but autocast stays on inside them and
    would turn the kernel's matrix products back into 16 bit. Whole numbers raise ``TypeError``, as
    they do in the compiled kernels: an output of their format would lose its fractions unseen.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        first = args[0]
        assert isinstance(first, Tensor)
        if not first.is_floating_point():
            name = function.__name__
            raise TypeError(f"mmcv's {name} takes floating-point tensors, not {first.dtype}")
        with torch.no_grad(), autocast_off(first.device.type):
            return function(*args, **kwargs)

    return run
