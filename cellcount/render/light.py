"""The light of a photo: the uneven lamp, the field's coloured rim, the stray light."""

from dataclasses import dataclass

import cv2
import numpy as np

from .field import Field
from .optics import Array, step


@dataclass(frozen=True)
class Light:
    """Light of the photo, 0 to 255 before the phone's processing, each H×W×3."""

    lamp: Array  # what the glass is lit with
    open: Array  # 0 outside the rim, 1 inside, each colour with its own edge
    veil: Array  # stray light, added everywhere


def light_field(rng: np.random.Generator, field: Field, size: int) -> Light:
    """The uneven lamp, the coloured rim and the stray light of one photo."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    dx, dy = (axis[None] - field.x) / field.radius, (axis[:, None] - field.y) / field.radius
    r = np.hypot(dx, dy)
    # The smooth parts are drawn coarsely and enlarged: it shows nowhere and saves half the time.
    coarse = cv2.resize(axis[None], (max(size // 4, 1), 1), interpolation=cv2.INTER_AREA)[0]
    cx, cy = (coarse[None] - field.x) / field.radius, (coarse[:, None] - field.y) / field.radius
    lamp: Array = cv2.resize(_lamp(rng, cx, cy), (size, size))
    veil = cv2.resize(_veil(rng, np.hypot(cx, cy), coarse), (size, size))
    if field.shadow is not None:  # violet, for green light is cut off first
        for c, further in enumerate((0.05, -0.12, 0.2)):
            left = field.shadow.lit(axis[None], axis[:, None], further)
            lamp[..., c] *= 0.13 + 0.87 * left
    opened = np.empty_like(lamp)
    turn, fringe = rng.uniform(-np.pi, np.pi), rng.uniform(0.0014, 0.0036) / field.radius
    push = rng.uniform(0, 0.8) * fringe  # never so much that a side turns blue
    soft = np.hypot(rng.uniform(0.0008, 0.0022) / field.radius, 0.8 * fringe)
    ragged = _ragged_rim(rng, dx, dy) * rng.uniform(0, 0.0008)
    for c, out in enumerate((1.0, 0.1, -1.0)):
        edge = 1 + out * fringe - ragged
        shifted = np.hypot(dx - out * push * np.cos(turn), dy - out * push * np.sin(turn))
        opened[..., c] = step(edge - shifted, soft * (1.3 if c == 0 else 1.0))
    # Light grazing the field stop makes its edge the brightest line in the photo.
    graze = rng.uniform(0.05, 0.3) * np.exp(-(((r - 1) / (0.0045 / field.radius)) ** 2))
    lamp *= (1 + graze)[..., None]
    return Light(lamp, opened, veil)


def _lamp(rng: np.random.Generator, dx: Array, dy: Array) -> Array:
    """Brightness and tint over the field: a slope from pink to blue-green, and blots."""
    grey = rng.normal(197, 9)
    base = grey + np.array([rng.normal(3, 5), 0, rng.normal(-3.5, 4)])
    r2 = (dx * dx + dy * dy)[..., None]
    lamp = np.broadcast_to(base.astype(np.float32), (*r2.shape[:2], 3)).copy()
    turn = rng.normal(-np.pi / 2, 0.9)
    slope = (dx * np.cos(turn) + dy * np.sin(turn))[..., None]
    strength = min(rng.gamma(1.5, 6.0), 26.0)
    lamp += slope * (strength * np.array([1.0, rng.uniform(-0.1, 0.35), rng.uniform(-0.05, 0.35)]))
    for _ in range(rng.integers(1, 4)):
        bx, by, wide = *rng.normal(0, 0.5, 2), rng.uniform(0.3, 0.9)
        pink = np.array([1.0, rng.uniform(-0.1, 0.35), rng.uniform(-0.1, 0.35)])
        tint = pink * rng.normal(5, 7) * rng.uniform(0.3, 1.0)
        lamp += np.exp(-((dx - bx) ** 2 + (dy - by) ** 2) / wide**2)[..., None] * tint
    lamp -= rng.uniform(-4, 10) * r2
    return lamp.astype(np.float32)


def _ragged_rim(rng: np.random.Generator, dx: Array, dy: Array) -> Array:
    """How far dust and burrs reach in from the rim, by direction; 0 for most, a few large."""
    burrs = np.clip(rng.standard_normal(720) - 1.0, 0, None)
    for k in rng.integers(0, 720, rng.integers(0, 7)):
        burrs[k] += rng.uniform(3, 9)
    # The table lies ten times finer than the burrs, so that their flanks are not steps.
    fine = np.interp(np.arange(7200) / 10, np.arange(721), [*burrs, burrs[0]])
    turn = np.arctan2(dy, dx) * (7200 / (2 * np.pi)) + 3600
    return fine[np.clip(turn, 0, 7199).astype(np.int32)].astype(np.float32) * 2


def _veil(rng: np.random.Generator, r: Array, axis: Array) -> Array:
    """Stray light: hardly any in most photos, a grey haze in some, brown glows at the edges."""
    haze = rng.uniform(8, 32) if rng.random() < 0.28 else rng.exponential(3.0)
    outside = np.clip(r - 1, 0, None)
    fall = np.exp(-outside / rng.uniform(0.15, 0.8))
    tint = 1 + rng.normal(0, 0.04, 3)
    veil = (haze * (0.35 + 0.65 * fall))[..., None] * tint
    near = rng.uniform(0, 9) * np.exp(-outside / 0.03)
    veil += near[..., None] * np.array([1.0, 0.75, 0.5])
    for _ in range(rng.integers(0, 3)):
        gx, gy = rng.choice([rng.uniform(-0.05, 0.05), rng.uniform(0.95, 1.05)]), rng.uniform(0, 1)
        if rng.random() < 0.3:
            gx, gy = gy, gx
        d2 = (axis[None] - gx) ** 2 + (axis[:, None] - gy) ** 2
        glow = rng.uniform(3, 16) * np.exp(-d2 / rng.uniform(0.05, 0.16) ** 2)
        veil += glow[..., None] * np.array([1.0, 0.72, rng.uniform(0.45, 0.8)])
    return veil.astype(np.float32)
