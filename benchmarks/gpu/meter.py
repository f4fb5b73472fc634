"""Seconds and memory of what a graphics card does, which goes on while Python does not wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch


@dataclass(frozen=True)
class Meter:
    """Measures on a device, ``cuda`` or ``cpu``; ``quick``: small and few, to see that all runs."""

    device: torch.device
    quick: bool

    @property
    def name(self) -> str:
        """What it is measured on."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name()
        return "CPU (rehearsed)"

    def wait(self) -> None:
        """Wait until the device has done all that it was told to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int, warm_ups: int = 1) -> float:
        """The median time that ``work`` takes; once, without a first time, if it is to be quick."""
        taken = []
        for _ in range(1 if self.quick else warm_ups + repeats):
            self.wait()
            start = time.perf_counter()
            work()
            self.wait()
            taken.append(time.perf_counter() - start)
        return median(taken[-repeats:])

    def forget(self) -> None:
        """Free what nobody holds, and begin a new peak."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    @property
    def peak(self) -> str:
        """The most memory that tensors took on the card since :meth:`forget`, in MB."""
        if self.device.type == "cuda":
            return f"{torch.cuda.max_memory_allocated() / 2**20:.0f}"
        return "not measured"
