"""Several graphics cards: fastai's ``learn.distrib_ctx()`` with mmdet's detectors.

Each process works on its share of the photos with its own copy of the detector, and all average
their gradients. mmdet divides its losses by the number of cells on all cards, so two cards with a
photo each take the same step as one card with both.
"""

from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch


@patch(
    "fastai.distributed",
    library="fastai",
    breaks="the order of photos is sent round by CUDA only; the stages that a ResNet freezes when "
    "training starts end it, for they are waited for",
    until="fastai sends it on the learner's device",
)
def processes_have_cuda() -> Mending:
    module = yield
    import torch

    before_fit = module.DistributedTrainer.before_fit

    def broadcast(self: Any, numbers: list[int], rank: int) -> list[int]:
        sent = torch.tensor(numbers, dtype=torch.long, device=self.device)
        torch.distributed.broadcast(sent, rank)
        return sent.tolist()

    @wraps(before_fit)
    def before_fit_frozen(self: Any) -> None:
        self.learn.model.train()  # mmdet freezes the first stages of a ResNet here
        before_fit(self)

    module.DistributedDL._broadcast = broadcast
    module.DistributedTrainer.before_fit = before_fit_frozen


@patch(
    "icevision.models.mmdet.fastai.callbacks",
    library="icevision",
    breaks="validation asks the wrapper that spreads a detector over processes for its predictions",
)
def wrapped_models_do_not_predict() -> Mending:
    callbacks = yield
    from torch.nn.parallel import DistributedDataParallel

    callback = callbacks.MMDetectionCallback
    after_loss = callback.after_loss

    @wraps(after_loss)
    def after_loss_unwrapped(self: Any) -> None:
        model = self.learn.model
        if isinstance(model, DistributedDataParallel):
            self.learn.model = model.module
        try:
            after_loss(self)
        finally:
            self.learn.model = model

    callback.after_loss = after_loss_unwrapped


@patch(
    "icevision.engines.fastai.adapters.fastai_metric_adapter",
    library="icevision",
    breaks="a metric judges the share of the photos that its own process has seen",
)
def metrics_see_a_share() -> Mending:
    module = yield
    from torch import distributed

    adapter = module.FastaiMetricAdapter

    def reset(self: Any) -> None:
        self.seen = set()

    accumulate = adapter.accumulate

    @wraps(accumulate)
    def accumulate_all(self: Any, learn: Any) -> None:
        if not (distributed.is_available() and distributed.is_initialized()):
            accumulate(self, learn)
            return
        shares: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(shares, learn.converted_preds)
        # Shares are filled up to the same length with photos that another has, too.
        new = []
        for one in (one for share in shares for one in share):
            if one.record_id not in self.seen:
                self.seen.add(one.record_id)
                new.append(one)
        self.metric.accumulate(preds=new)

    adapter.reset, adapter.accumulate = reset, accumulate_all
