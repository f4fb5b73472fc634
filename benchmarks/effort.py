"""How thoroughly to measure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """``quick``: small and few, to see that all of it runs. ``full``: what takes minutes too."""

    quick: bool = False
    full: bool = False

    def repeats(self, usual: int) -> int:
        """How often to time each way."""
        return 1 if self.quick else usual

    @property
    def warm_ups(self) -> int:
        """How often to run untimed what takes long to run."""
        return 0 if self.quick else 1
