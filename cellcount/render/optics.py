"""How a thin, weak object is imaged by a microscope that is a little out of focus.

All lengths are fractions of the frame's width, so that a photo looks the same at every size.
The image of a thin object with absorption a and phase p is, to first order,
log I = F⁻¹[(-2 F[a] cos χ - 2 F[p] sin χ) · E] with χ = π D² f², D² = λ·defocus and E the loss
of contrast of a light source that is not a point (the contrast transfer function; J. W. Goodman,
Introduction to Fourier Optics, and E. J. Kirkland, Advanced Computing in Electron Microscopy).
It gives the bright halo on one side of focus, the bright core on the other, and the ghosts.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # floating point; float32 wherever it is as large as the photo

FRINGE = 0.0043  # D at a defocus of 1: where the first bright fringe lies
SPREAD = 0.0010  # blur (standard deviation) that a defocus of 1 brings


@dataclass(frozen=True)
class Optics:
    """What one photo's microscope does to every object in it."""

    focus: float = 0.0  # defocus of a cell lying in the middle of the glass
    tilt: tuple[float, float] = (0.0, 0.0)  # change of defocus from centre to edge, along x and y
    colour_focus: tuple[float, float, float] = (0.0, 0.0, 0.0)  # added to the defocus of R, G, B
    colour_shift: tuple[float, float] = (0.0, 0.0)  # R is moved by this, B by its opposite
    oblique: tuple[float, float] = (0.0, 0.0)  # shading of slopes by light from one side
    spread: float = 1.0  # factor on SPREAD: a wide condenser blurs more
    defocus: float = 1.0  # 0 images everything as if in focus

    def at(self, x: float, y: float) -> float:
        """Defocus of something lying on the glass at (x, y)."""
        return self.focus + 2 * (self.tilt[0] * (x - 0.5) + self.tilt[1] * (y - 0.5))

    def margin(self, z: float) -> float:
        """Width of the seam that the image of an object at defocus z needs around it."""
        z = abs(z * self.defocus) + max(map(abs, self.colour_focus)) * self.defocus
        return 2.2 * FRINGE * np.sqrt(z) + 3 * SPREAD * self.spread * z + 0.003


class Glass:
    """Log-transmittance of everything on the glass, H×W×3, to which objects are added."""

    def __init__(self, size: int, optics: Optics) -> None:
        """Lay down a clean glass of size × size pixels."""
        self.size = size
        self.optics = optics
        self.log: Array = np.zeros((size, size, 3), np.float32)

    def window(
        self, x: float, y: float, half: tuple[float, float], z: float
    ) -> tuple[Array, Array]:
        """Pixel centres (columns, rows) of a patch around (x, y) that holds the object's image."""
        seam = self.optics.margin(z)
        axes = []
        for centre, reach in ((x, half[0] + seam), (y, half[1] + seam)):
            length = cv2.getOptimalDFTSize(int(np.ceil(2 * reach * self.size)) + 2)
            first = round(centre * self.size - length / 2)
            axes.append(np.arange(first, first + length, dtype=np.float32) + 0.5)
        return axes[0], axes[1]

    def add(self, columns: Array, rows: Array, absorption: Array, phase: Array, z: float) -> None:
        """Image an object sampled on a window: absorption h×w×3 and phase h×w, at defocus z."""
        self.paste(columns, rows, self.image(absorption, phase, z))

    def image(self, absorption: Array, phase: Array, z: float) -> Array:
        """Log-transmittance h×w×3 of an object in a window that is wide enough for its image."""
        o, (h, w) = self.optics, phase.shape
        fx = np.fft.rfftfreq(w).astype(np.float32)[None] * self.size
        fy = np.fft.fftfreq(h).astype(np.float32)[:, None] * self.size
        f2 = fx * fx + fy * fy
        p = np.fft.rfft2(phase)
        slope = (2j * np.pi) * (o.oblique[0] * fx + o.oblique[1] * fy) * p
        shift = np.exp((-2j * np.pi) * (o.colour_shift[0] * fx + o.colour_shift[1] * fy))
        out = np.empty_like(absorption)
        for c, moved in enumerate((shift, 1.0, shift.conj())):
            zc = o.defocus * (z + o.colour_focus[c])
            chi = (np.pi * FRINGE**2 * zc) * f2
            loss = np.exp((-2 * (np.pi * SPREAD * o.spread * zc) ** 2) * f2)
            a = np.fft.rfft2(absorption[..., c])
            wave = (-2 * np.sin(chi) * p - 2 * np.cos(chi) * a + o.defocus * slope) * (loss * moved)
            out[..., c] = np.fft.irfft2(wave, s=(h, w))
        return out

    def paste(self, columns: Array, rows: Array, image: Array) -> None:
        """Add a window's log-transmittance, cut at the frame."""
        x0, y0 = int(columns[0]), int(rows[0])
        x1, y1 = x0 + len(columns), y0 + len(rows)
        cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x1, self.size), min(y1, self.size)
        if cx0 < cx1 and cy0 < cy1:
            self.log[cy0:cy1, cx0:cx1] += image[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Array:
    """Noise of unit variance (about) whose blotches are `grain` pixels wide, float32 h×w."""
    h, w = shape
    small = (max(2, int(np.ceil(h / grain)) + 1), max(2, int(np.ceil(w / grain)) + 1))
    coarse = rng.standard_normal(small, np.float32)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) * np.float32(1.25)


def step(distance: Array, softness: float) -> Array:
    """0 to 1 across an edge: 0.5 at distance 0, smooth over ± softness (same unit)."""
    t = np.clip(distance / (2 * softness) + 0.5, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
