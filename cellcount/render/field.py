"""Where the bright round field lies in the frame, and what covers parts of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .optics import Array, step


@dataclass(frozen=True)
class Pointer:
    """The eyepiece's needle: a sharp tip near the centre, widening towards the rim."""

    x: float
    y: float
    angle: float
    taper: float  # length over which the tip widens
    width: float  # at the end of the taper
    widening: float  # width gained per unit of length beyond it
    bend: float

    def depth(self, x: Array, y: Array) -> Array:
        """How far inside the pointer's outline points lie; negative outside."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        along = (x - self.x) * c + (y - self.y) * s
        across = (y - self.y) * c - (x - self.x) * s - self.bend * along**2
        tip = np.clip(along / self.taper, 0, 1)
        half = 0.5 * self.width * tip * (1.7 - 0.7 * tip) + 0.5 * self.widening * along
        return np.where(along > 0, half - np.abs(across), -1.0).astype(np.float32)


@dataclass(frozen=True)
class Shadow:
    """The edge of the condenser's stop, where it cuts into the field: a circle of light."""

    x: float
    y: float
    radius: float
    softness: float

    def lit(self, x: Array, y: Array, further: float = 0.0) -> Array:
        """Share of the light left; `further` moves the edge out by a multiple of its softness."""
        edge = self.radius + further * self.softness
        return step(edge - np.hypot(x - self.x, y - self.y), self.softness)


@dataclass(frozen=True)
class Field:
    """Where the field lies and what covers it; lengths in fractions of the frame's width."""

    x: float
    y: float
    radius: float
    pointer: Pointer | None
    shadow: Shadow | None

    def visible(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which points are seen: in the frame, in the light, not under the pointer."""
        seen = (x > 0) & (x < 1) & (y > 0) & (y < 1)
        seen &= np.hypot(x - self.x, y - self.y) < self.radius
        if self.shadow is not None:
            seen &= self.shadow.lit(x, y) > 0.3
        return seen if self.pointer is None else seen & (self.pointer.depth(x, y) < 0)


def draw_field(rng: np.random.Generator) -> Field:
    """Where the field lies in this photo, and its pointer (hardly ever missing)."""
    radius = rng.uniform(0.455, 0.512)
    x = rng.normal(0.503, 0.012)
    y = 0.5 + (rng.uniform(0.08, 0.16) if rng.random() < 0.4 else rng.normal(0.02, 0.025))
    if rng.random() < 0.06:  # the phone held nearer, or askew
        radius *= rng.uniform(1.05, 1.3)
        x += rng.normal(0, 0.05)
    pointer = Pointer(
        x + rng.normal(0, 0.012),
        y - rng.uniform(-0.01, 0.035),
        rng.uniform(-np.pi, np.pi),
        rng.uniform(0.03, 0.10),
        rng.uniform(0.007, 0.0115),
        rng.uniform(0.008, 0.028),
        rng.normal(0, 0.03),
    )
    shadow = None
    if rng.random() < 0.25:
        turn, softness = rng.uniform(-np.pi, np.pi), rng.uniform(0.02, 0.07)
        width = rng.uniform(-0.03, 0.09)  # of the crescent that it darkens
        aside = 0.5 * radius
        shadow = Shadow(
            x - aside * np.cos(turn),
            y - aside * np.sin(turn),
            radius + aside - width,
            softness,
        )
    return Field(x, y, radius, pointer if rng.random() < 0.97 else None, shadow)
