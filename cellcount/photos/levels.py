"""How dark and how bright a photo is, and a photo of other light brought to such levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_ENDS = (0.1, 99.9)  # per cent of the pixels: beyond lie hot pixels, dust and the burnt-in scale
_LEAST = 16  # greys between the ends: what 8 bits have lost, no stretching brings back
_SEEN = 65_536  # pixels that tell the levels of a photo


@dataclass(frozen=True)
class Levels:
    """Greys between which all pixels lie but 0.1 % at either end; means of red, green and blue."""

    low: float
    high: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "Levels":
        """Those of a photo (height, width, 3)."""
        step = max(1, round(sqrt(pixels.shape[0] * pixels.shape[1] / _SEEN)))
        low, high = np.percentile(pixels[::step, ::step].mean(axis=2), _ENDS)
        return cls(float(low), float(high))

    @classmethod
    def usual(cls, photos: Sequence["Levels"]) -> "Levels":
        """The middle of those of several photos: geometric, as light differs by factors."""
        logs = np.log1p([(one.low, one.high) for one in photos])
        low, high = np.expm1(logs.mean(axis=0))
        return cls(float(low), float(high))

    def matched(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """A photo (height, width, 3) stretched to these levels; None if it has too few greys.

        All channels are stretched alike, by a line: exposure, lamp and offset of the camera change
        a photo so, and colours keep their balance.
        """
        own = Levels.of(pixels)
        if own.high - own.low < _LEAST:
            return None
        times = (self.high - self.low) / (own.high - own.low)
        table = (np.arange(256) - own.low) * times + self.low
        return np.take(np.clip(np.rint(table), 0, 255).astype(np.uint8), pixels)
