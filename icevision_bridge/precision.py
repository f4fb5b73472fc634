"""Mixed precision: fastai's ``learn.to_fp16()`` and ``to_bf16()`` with the losses of mmdet.

Autocast lets torch compute convolutions and matrix products in 16 bits and keeps the rest in 32.
mmdet says which of its functions want 32 bits, by mmcv's decorator ``force_fp32``, but that listens
to mmcv's own training loop only.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch


@patch(
    "mmcv.runner.fp16_utils",
    library="mmcv",
    breaks="losses and boxes are computed in 16 bits under torch's autocast, or fail: mmcv asks "
    "for 32 in its own training loop only, and knows no bfloat16",
)
def autocast_is_unknown() -> Mending:
    module = yield
    import torch

    from icevision_bridge.ops.precision import autocast_off, is_autocast_on

    force_fp32 = module.force_fp32

    def widened(value: Any) -> Any:
        for narrow in (torch.float16, torch.bfloat16):
            value = module.cast_tensor_type(value, narrow, torch.float32)
        return value

    def tensors(value: Any) -> Iterator[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            for part in value:
                yield from tensors(part)

    def force(apply_to: Any = None, out_fp16: bool = False) -> Callable[..., Any]:
        # The output stays in 32 bits: under autocast the next layer takes it as it wants it.
        by_flag = force_fp32(apply_to, out_fp16)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            flagged = by_flag(function)
            signature = inspect.signature(function)

            @wraps(function)
            def run(self: Any, *args: Any, **kwargs: Any) -> Any:
                found = next(tensors([*args, *kwargs.values()]), None)
                if getattr(self, "fp16_enabled", False) or found is None:
                    return flagged(self, *args, **kwargs)
                kind = found.device.type
                if not is_autocast_on(kind):
                    return flagged(self, *args, **kwargs)
                bound = signature.bind(self, *args, **kwargs)
                for name in bound.arguments:
                    if apply_to is None or name in apply_to:
                        bound.arguments[name] = widened(bound.arguments[name])
                with autocast_off(kind):
                    return function(*bound.args, **bound.kwargs)

            return run

        return decorate

    module.force_fp32 = force


@patch(
    "fastai.callback.fp16",
    library="fastai",
    breaks="to_fp16 fails on what detectors return besides tensors; without an NVIDIA card it and "
    "to_bf16 change nothing",
    until="fastai asks the learner for its device",
)
def mixed_precision_is_for_classifiers() -> Mending:
    module = yield
    import torch

    callback = module.MixedPrecision
    before_fit = callback.before_fit

    def to_float(pred: Any) -> Any:
        return module.apply(
            lambda one: (
                one.float() if isinstance(one, torch.Tensor) and one.is_floating_point() else one
            ),
            pred,
        )

    @wraps(before_fit)
    def before_fit_here(self: Any) -> None:
        kind = self.learn.dls.device.type
        if kind == "cuda":
            before_fit(self)
            return
        with warnings.catch_warnings():  # that there is no CUDA
            warnings.simplefilter("ignore", UserWarning)
            before_fit(self)
        narrow = {"fp16": torch.float16, "bf16": torch.bfloat16}[self.amp_mode.value]
        self.autocast = torch.autocast(kind, dtype=narrow)
        self.learn.scaler = torch.amp.GradScaler(kind, **self.kwargs)

    module.to_float, callback.before_fit = to_float, before_fit_here


@patch(
    "fastai.callback.fp16",
    library="fastai",
    breaks="a training that is stopped within a batch leaves autocast on, and its 16-bit copies of "
    "the weights: every later training in 16 bits goes on with those, and learns nothing",
    until="fastai leaves autocast however a batch ends",
)
def stopped_training_stays_in_16_bits() -> Mending:
    module = yield
    callback, fit = module.MixedPrecision, module.Learner.fit

    def leave(learn: Any) -> None:
        vars(learn).pop("within_autocast", ExitStack()).close()

    def before_batch(self: Any) -> None:
        leave(self.learn)  # a batch that was cancelled
        self.learn.within_autocast = ExitStack()
        self.learn.within_autocast.enter_context(self.autocast)

    @wraps(fit)
    def fit_and_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return fit(self, *args, **kwargs)
        finally:
            leave(self)

    callback.before_batch, callback.after_loss = before_batch, lambda self: leave(self.learn)
    module.Learner.fit = fit_and_leave


@patch(
    "icevision.models.torchvision.faster_rcnn.prediction",
    library="icevision",
    breaks="validation in 16 bits fails with torchvision's detectors: NumPy knows no bfloat16",
)
def numpy_is_given_16_bits() -> Mending:
    module = yield
    convert = module.convert_raw_prediction

    @wraps(convert)
    def convert_wide(*args: Any, raw_pred: dict[str, Any], **kwargs: Any) -> Any:
        wide = {
            name: value.float() if value.is_floating_point() else value
            for name, value in raw_pred.items()
        }
        return convert(*args, raw_pred=wide, **kwargs)

    module.convert_raw_prediction = convert_wide
