"""What a phone makes of the light: noise, smoothing, sharpening with halos, eight bits."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .optics import Array, smooth_noise


def photograph(rng: np.random.Generator, light: Array, *, phone: bool = True) -> NDArray[np.uint8]:
    """Turn light (H×W×3, 0 to 255 and above) into a phone's picture, H×W×3 uint8.

    Without `phone` the light is only cut to 0..255 and rounded.
    """
    if not phone:
        return np.clip(np.rint(light), 0, 255).astype(np.uint8)
    size = light.shape[0]
    pixel = size / 1024
    seen: Array = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 1.15) * pixel)
    seen += _noise(rng, seen, pixel)
    if rng.random() < 0.6:  # the smear of a phone's noise reduction
        even = cv2.bilateralFilter(seen, 5, rng.uniform(4, 10), 1.5 * pixel)
        seen += (even - seen) * np.float32(rng.uniform(0.3, 1.0))
    fine, wide = (rng.uniform(0.9, 1.6), rng.uniform(0.2, 1.0)), (4.0, rng.uniform(0, 0.35))
    for radius, amount in (fine, wide):
        detail = seen - cv2.GaussianBlur(seen, (0, 0), radius * pixel)
        # Phones limit the overshoot at strong edges.
        limit = 26 + 20 * amount
        seen += np.float32(amount) * np.clip(detail, -limit, limit)
    _hot_pixels(rng, seen)
    seen += (rng.uniform(0.2, 0.9) * rng.standard_normal(seen.shape[:2], np.float32))[..., None]
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, seen: Array, pixel: float) -> Array:
    """Sensor noise: more of it where it is bright, a little of it coloured and blotchy."""
    h, w = seen.shape[:2]
    strength = np.sqrt(np.clip(seen[..., 1], 0, None) / 200 + 0.08)
    strength *= np.float32(rng.uniform(0.25, 0.9))
    fine = rng.standard_normal((h, w), np.float32)
    fine += 0.8 * smooth_noise(rng, (h, w), max(1.6, 2.0 * pixel))
    noise = np.repeat((strength * fine)[..., None], 3, axis=2)
    for c in range(3):
        noise[..., c] += 0.6 * strength * smooth_noise(rng, (h, w), max(2.0, 4.0 * pixel))
    return noise


def _hot_pixels(rng: np.random.Generator, seen: Array) -> None:
    """A few coloured dots that show in the dark, in place."""
    for _ in range(rng.poisson(6)):
        x, y = rng.integers(0, seen.shape[0], 2)
        seen[y, x] += rng.uniform(0, 45, 3)
