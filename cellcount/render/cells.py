"""One needle-shaped cell: its outline, its content, and the exact box of what is seen of it."""

from dataclasses import dataclass

import numpy as np

from .field import Field
from .optics import Array, Glass

SHARPEST_GHOST = 3.6  # |defocus| from which on a needle is a ghost that nobody would label
BLURREST_CELL = 2.6  # |defocus| up to which a cell is labelled


@dataclass(frozen=True)
class Needle:
    """One cell; lengths in fractions of the frame's width, angles in radians."""

    x: float
    y: float
    angle: float
    length: float
    width: float
    bend: float  # sagitta, as a fraction of the length
    sway: float  # S-shaped part of the bend, likewise
    cigar: float  # 2 is a spindle; more keeps the middle at full width
    blunt: float  # exponent of the outline's ends: less than 1 is round, more is pointed
    z: float  # defocus relative to the glass
    pigment: tuple[float, float, float]  # absorption of R, G, B where the cell is full
    phase: float  # radians where the cell is thickest
    skin: float  # absorption of the outline
    texture: int  # seed of the granules and vacuoles

    def spine(self, u: Array) -> Array:
        """Sideways offset of the axis at u in [-1, 1]."""
        return self.length * (self.bend * (u * u - 0.4) + self.sway * u * (u * u - 0.6))

    def half_width(self, u: Array) -> Array:
        """Half the width at u in [-1, 1]; 0 beyond the tips."""
        return 0.5 * self.width * np.clip(1 - np.abs(u) ** self.cigar, 0, None) ** self.blunt

    def points(self) -> tuple[Array, Array, Array]:
        """Points that fill the cell, outline included, and the area each stands for."""
        u = np.linspace(-1, 1, 161)[:, None]
        half = self.half_width(u)
        t = self.spine(u) + half * np.linspace(-1, 1, 9)
        s = np.broadcast_to(0.5 * self.length * u, t.shape)
        c, sn = np.cos(self.angle), np.sin(self.angle)
        area = np.broadcast_to(half, t.shape)
        return self.x + s * c - t * sn, self.y + s * sn + t * c, area

    def tip(self, end: int) -> tuple[float, float]:
        """Where the tip at end -1 or +1 lies, the bend neglected."""
        reach = 0.5 * self.length * end
        return self.x + reach * np.cos(self.angle), self.y + reach * np.sin(self.angle)


def visible_box(needle: Needle, field: Field) -> tuple[tuple[float, ...] | None, float]:
    """Box (xmin, ymin, xmax, ymax) of what is seen, in frame widths, and the share seen."""
    x, y, area = needle.points()
    seen = field.visible(x, y)
    if not seen.any():
        return None, 0.0
    share = float(area[seen].sum() / area.sum())
    return (x[seen].min(), y[seen].min(), x[seen].max(), y[seen].max()), share


def cell_defocus(glass: Glass, needle: Needle) -> float:
    """Defocus of a labelled cell: its own and that of the glass where it lies, within limits."""
    z = needle.z + glass.optics.at(needle.x, needle.y)
    return float(np.clip(z, -BLURREST_CELL, BLURREST_CELL))


def paint(glass: Glass, needle: Needle, z: float) -> None:
    """Draw a needle onto the glass, imaged at defocus z."""
    c, sn = float(np.cos(needle.angle)), float(np.sin(needle.angle))
    reach = 0.5 * needle.length
    side = needle.width + needle.length * (abs(needle.bend) + abs(needle.sway))
    half = (reach * abs(c) + side * abs(sn), reach * abs(sn) + side * abs(c))
    columns, rows = glass.window(needle.x, needle.y, half, z)
    dx, dy = columns[None] / glass.size - needle.x, rows[:, None] / glass.size - needle.y
    u = (dx * c + dy * sn) / reach
    t = dy * c - dx * sn - needle.spine(u)
    absorption, phase = _substance(needle, u, t, np.float32(1 / glass.size))
    glass.add(columns, rows, absorption, phase, z)


def _substance(needle: Needle, u: Array, t: Array, pixel: np.float32) -> tuple[Array, Array]:
    """Absorption h×w×3 and phase h×w at the points (u along, t across) of a needle."""
    rng = np.random.default_rng(needle.texture)
    w = needle.half_width(u)
    cover = np.clip((w - np.abs(t)) / pixel + 0.5, 0, 1) * np.clip(2 * w / pixel, 0, 1)
    lens = np.sqrt(np.clip(1 - (t / np.maximum(w, pixel)) ** 2, 0.03, 1)) * cover
    thick = lens * (w / (0.5 * needle.width)) ** 0.6
    v = t / needle.width
    green = _chloroplast(rng, u, v) * np.sqrt(thick * cover)
    rim = np.exp(-(((w - np.abs(t)) / (0.0009 + 0.08 * needle.width)) ** 2)) * cover
    grey = _grains(rng, needle, u, v) * lens + needle.skin * rim * (1 + 0.6 * _mottle(rng, u, v))
    absorption = green[..., None] * np.array(needle.pigment, np.float32)
    absorption += np.float32(0.55) * grey[..., None]
    # The image formula takes amplitudes, whose absorption is half that of the light.
    return (0.5 * absorption).astype(np.float32), (needle.phase * thick).astype(np.float32)


def _chloroplast(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """How full of pigment a cell is: mottled, paler towards the tips, with gaps for vacuoles."""
    body = np.clip((rng.uniform(0.72, 0.98) - np.abs(u - rng.normal(0, 0.06))) * 8, 0, 1)
    full = (0.55 + 0.45 * body) * (1 + rng.uniform(0.1, 0.5) * _mottle(rng, u, v))
    for _ in range(rng.integers(0, 5)):
        at, wide, across = rng.uniform(-0.7, 0.7), rng.uniform(0.03, 0.13), rng.uniform(-0.2, 0.2)
        hole = ((u - at) / wide) ** 2 + ((v - across) / 0.3) ** 2
        full *= 1 - rng.uniform(0.3, 0.95) * np.exp(-hole)
    return full


def _grains(rng: np.random.Generator, needle: Needle, u: Array, v: Array) -> Array:
    """What is dark and grey in a cell: the tips and a few granules."""
    dark = np.zeros_like(u)
    for end in (-0.8, 0.8):
        dark += rng.uniform(0.1, 0.8) * (needle.skin + 0.2) * np.exp(-(((u - end) / 0.2) ** 2))
    for _ in range(rng.integers(0, 9)):
        at, wide, across = rng.uniform(-0.85, 0.85), rng.uniform(0.02, 0.06), rng.uniform(-0.3, 0.3)
        spot = ((u - at) / wide) ** 2 + ((v - across) / 0.16) ** 2
        dark += rng.uniform(0.1, 0.6) * np.exp(-spot)
    return dark


def _mottle(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Unevenness of a cell's content: a few waves along and across it, within -1 and 1 or so."""
    waves = np.zeros_like(u)
    for _ in range(4):
        along, across = rng.uniform(4, 16), rng.uniform(-7, 7)
        waves += np.sin(along * u + across * v + rng.uniform(0, 2 * np.pi))
    return waves * np.float32(0.4)
