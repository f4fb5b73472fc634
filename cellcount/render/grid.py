"""The lines engraved into a counting chamber, single or in groups, a little out of focus."""

import numpy as np

from .optics import FRINGE, Array, Glass, smooth_noise


def add_grid(rng: np.random.Generator, glass: Glass) -> None:
    """Engrave a chamber's lines into the glass; a few photos show none."""
    if rng.random() < 0.06:
        return
    angle = rng.normal(0, 0.05)
    gap, phase = rng.uniform(0.085, 0.2), rng.uniform(0.03, 0.14)
    width, group = rng.uniform(0.004, 0.0085), rng.integers(2, 5)
    lines_in_group, group_gap = rng.integers(1, 4), rng.uniform(0.012, 0.019)
    z = glass.optics.focus * rng.uniform(0.5, 1.3) + rng.choice([0.6, 1.2, -0.8])
    n = glass.size
    axis = (np.arange(n, dtype=np.float32) + 0.5) / n - 0.5
    for turn in (0.0, np.pi / 2):
        c, s = np.float32(np.cos(angle + turn)), np.float32(np.sin(angle + turn))
        at = np.arange(-12, 13) * gap + rng.uniform(0, gap)
        offsets = []
        for k, line in enumerate(at):
            many = int(lines_in_group) if k % group == 0 else 1
            offsets += [line + group_gap * (j - (many - 1) / 2) for j in range(many)]
        profile = _line_profile(np.array(offsets), width, phase, z * glass.optics.defocus)
        across = axis[None] * c + axis[:, None] * s
        wear = (
            0.9
            + 0.35 * smooth_noise(rng, (n, n), n * 0.15)
            + 0.25 * smooth_noise(rng, (n, n), n * 0.012)
        )
        at_pixel = ((across + 1) * (len(profile) / 2)).astype(np.int32)
        glass.log += (profile[at_pixel] * np.clip(wear, 0, None))[..., None]


def _line_profile(offsets: Array, width: float, phase: float, z: float) -> Array:
    """Log-transmittance across engraved grooves, sampled 4096 times over [-1, 1)."""
    at = np.linspace(-1, 1, 4096, endpoint=False)
    groove = np.zeros_like(at)
    for offset in offsets:
        groove += np.exp(-(((at - offset) / (0.5 * width)) ** 4))
    f2 = np.fft.rfftfreq(4096, 2 / 4096) ** 2
    chi = np.pi * FRINGE**2 * z * f2
    wave = -(2 * np.sin(chi) * phase + 0.08 * phase) * np.exp(-2 * (np.pi * 0.0017) ** 2 * f2)
    return np.fft.irfft(np.fft.rfft(-groove) * wave, 4096).astype(np.float32)
