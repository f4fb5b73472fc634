"""fastai 2.8: without an NVIDIA card, and a search for a rate that stops at once."""

import math
import warnings
from functools import wraps
from typing import Any

from icevision_bridge.errors import BridgeError
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
    "fastai.callback.schedule",
    library="fastai",
    breaks="lr_find ends at a loss four times the least one; where the first photos hold few "
    "cells, that is at once, and it fails with an IndexError: no loss is left to suggest from",
    until="fastai's lr_find goes on until it can suggest a rate",
)
def search_for_a_rate_stops_at_once() -> Mending:
    module = yield
    finder, learner = module.LRFinder, module.Learner
    after_batch, lr_find = finder.after_batch, learner.lr_find

    def after_enough_batches(self: Any) -> None:
        # The suggestion leaves out the first tenth and the last five; ten are to be left.
        if self.train_iter < self.num_it // 10 + 15:
            self.best_loss = float("inf")
        after_batch(self)

    @wraps(lr_find)
    def find_or_say_why(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return lr_find(self, *args, **kwargs)
        except IndexError as error:
            if self.recorder.losses and math.isfinite(self.recorder.losses[-1]):
                raise
            raise BridgeError(
                "No rate can be suggested, for the losses of the first steps are no numbers. Begin "
                "with smaller rates: learn.lr_find(start_lr=1e-8, end_lr=0.1)."
            ) from error

    finder.after_batch = after_enough_batches
    learner.lr_find = find_or_say_why


@patch(
    "fastai.torch_core",
    library="fastai",
    breaks="on a Mac it trains on the graphics part (MPS), where nobody has tried these models",
    until="somebody has tried them there",
)
def macs_graphics_are_taken() -> Mending:
    module = yield
    module._has_mps = lambda: False
