"""What a visitor asks about all photos of the visit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellcount.calibration.concentration import CHAMBERS, concentration
from cellcount.calibration.intervals import Estimate
from cellcount.counting.study import Sampled
from cellcount.detector.training import LEAST_SCORE
from cellcount.errors import CellCountError
from cellcount.photos.view import View

_ONE = Estimate(1, 1, 1)


@dataclass(frozen=True)
class Settings:
    """The threshold, or None for the model's own; the channel; what a photo shows of a sample."""

    threshold: float | None = None
    channel: str | None = None
    sampled: Sampled | None = None

    def view(self, learned: View) -> View:
        """How photos are read.

        Args:
            learned: the view of the photos that the model has learned from.
        """
        return learned if self.channel is None else View(self.channel, learned.z)

    @classmethod
    def read(cls, asked: Mapping[str, Any], channels: list[str]) -> "Settings":
        """Take what the page sends: numbers, or null for what is not asked.

        Args:
            asked: threshold, channel, and volume_ul or chamber and squares, with dilution and
                pipetting_cv.
            channels: that there are.

        Raises:
            CellCountError: something means nothing.
        """
        threshold = _number(asked, "threshold")
        if threshold is not None and not LEAST_SCORE <= threshold <= 1:
            raise CellCountError(f"The threshold must lie from {LEAST_SCORE} to 1.")
        channel = asked.get("channel")
        if channel is not None and channel not in channels:
            raise CellCountError("No photo has this channel: choose another one.")
        return cls(threshold, channel, _sampled(asked))


def _sampled(asked: Mapping[str, Any]) -> Sampled | None:
    chamber, volume = asked.get("chamber"), _number(asked, "volume_ul")
    if chamber is not None:
        if not isinstance(chamber, str) or chamber not in CHAMBERS:
            raise CellCountError(f"There is no such chamber: there are {', '.join(CHAMBERS)}.")
        volume = CHAMBERS[chamber].volume * (_number(asked, "squares") or 0)
    if volume is None:
        return None
    dilution, pipetting = _number(asked, "dilution"), _number(asked, "pipetting_cv") or 0.0
    sampled = Sampled(volume, 1.0 if dilution is None else dilution, pipetting / 100)
    concentration([_ONE], volume, sampled.dilution, sampled.pipetting)  # says what is wrong
    return sampled


def _number(asked: Mapping[str, Any], name: str) -> float | None:
    value = asked.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise CellCountError(f"{name} must be a number.")
    return value
