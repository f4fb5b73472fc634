"""Who loads a batch, how it gets to a graphics card, and what waits for the card on the way back.

A copy from pinned memory runs beside the computation.
"""

from functools import wraps
from multiprocessing import get_start_method
from typing import Any

from icevision_bridge.patches import Mending, patch


@patch(
    "icevision.models.utils",
    library="icevision",
    breaks="with num_workers, loading ends in a traceback where processes are spawned: on Windows "
    "and macOS",
)
def loaders_cannot_be_sent() -> Mending:
    module = yield
    loader = module.DataLoader

    def loader_here(*args: Any, **kwargs: Any) -> Any:
        """A loader that loads in this process where others would be spawned."""
        if kwargs.get("multiprocessing_context") is None and get_start_method() != "fork":
            for name in ("num_workers", "persistent_workers", "prefetch_factor", "timeout"):
                kwargs.pop(name, None)
        return loader(*args, **kwargs)

    module.DataLoader = loader_here


@patch(
    "icevision.engines.fastai.adapters.convert_dataloader_to_fastai",
    library="icevision",
    breaks="loaders lose persistent_workers and timeout, and pin no memory for a graphics card",
)
def loaders_are_half_converted() -> Mending:
    module = yield
    from torch.utils.data import DataLoader

    convert = module.convert_dataloaders_to_fastai

    @wraps(convert)
    def convert_whole(dls: Any, device: Any = None) -> Any:
        found = convert(dls, device)
        for given, loader in zip(dls, found.loaders, strict=True):
            if isinstance(given, DataLoader):
                workers = loader.fake_l
                workers.persistent_workers, workers.timeout = (
                    given.persistent_workers,
                    given.timeout,
                )
                if loader.device.type == "cuda":
                    loader.pin_memory = workers.pin_memory = True
        return found

    module.convert_dataloaders_to_fastai = convert_whole


@patch(
    "fastai.data.load",
    library="fastai",
    breaks="the training waits for each batch to be copied to the graphics card",
    until="fastai copies without waiting",
)
def copies_are_waited_for() -> Mending:
    module = yield
    import torch

    to_device = module.to_device

    def to_device_beside(batch: Any, device: Any = None) -> Any:
        # Elsewhere than on CUDA, memory may be used again before it is copied.
        beside = device is not None and torch.device(device).type == "cuda"
        return to_device(batch, device, non_blocking=beside)

    module.to_device = to_device_beside


@patch(
    "mmdet.models.detectors.base",
    library="mmdet",
    breaks="each part of the loss is waited for, and averaged over all cards, only to be logged",
)
def losses_are_fetched_one_by_one() -> Mending:
    module = yield
    import torch

    def parse_losses(self: Any, losses: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The sum of what is called a loss, and all parts as tensors, where they are."""
        parts: dict[str, torch.Tensor] = {}
        for name, value in losses.items():
            several = [value] if isinstance(value, torch.Tensor) else value
            parts[name] = torch.stack([one.mean() for one in several]).sum()
        loss = torch.stack([value for name, value in parts.items() if "loss" in name]).sum()
        return loss, {name: value.detach() for name, value in {**parts, "loss": loss}.items()}

    module.BaseDetector._parse_losses = parse_losses
