"""One photo: everything that the other modules draw, put together from one seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellcount.errors import CellCountError

from .cells import cell_defocus, paint, visible_box
from .culture import draw_culture, place_cells, place_cut_cells
from .debris import add_debris
from .field import Field, draw_field
from .grid import add_grid
from .light import light_field
from .optics import Array, Glass, Optics, step
from .phone import photograph

FEWEST, MOST = 20, 140


@dataclass(frozen=True)
class Rendered:
    """One rendered photo: H×W×3 uint8 RGB, and N×4 int32 (xmin, ymin, xmax, ymax) in pixels."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.int32]


def render_photo(
    seed: int | Sequence[int],
    *,
    cells: int | None = None,
    size: int = 1024,
    debris: bool = True,
    grid: bool = True,
    defocus: float = 1.0,
    phone: bool = True,
) -> Rendered:
    """Render one square photo with exactly `cells` labelled cells.

    Args:
        seed: decides everything but the arguments below; they change only what they name.
        cells: how many; drawn from 20 to 140 if None. With one more, only that one is added.
        size: pixels a side, at least 64.
        debris: dust, crystals, bubbles, smudges and cells too blurred or hidden to be labelled.
        grid: the counting chamber's lines.
        defocus: factor on the microscope's defocus; 0 draws cells without halo or blur.
        phone: noise, smoothing and sharpening.

    Returns:
        The photo and a box around the visible part of every labelled cell, outline included, halo
        and blur excluded, rounded to whole pixels. Cells far out of focus are ghosts: no box. Nor
        has a cell that rim, frame or pointer hide by more than half.

    Raises:
        CellCountError: a size or a number of cells that cannot be rendered.
    """
    if size < 64 or (cells is not None and not 0 <= cells <= 400):
        raise CellCountError(
            f"Cannot render {cells} cells at {size} pixels; ask for 0 to 400 cells and at least "
            "64 pixels."
        )
    words = (seed,) if isinstance(seed, int) else tuple(seed)
    # One stream a job, so that leaving a job out changes nothing else.
    of = [np.random.default_rng([*words, job]) for job in range(9)]
    field = draw_field(of[0])
    glass = Glass(size, _draw_optics(of[1], defocus))
    culture = draw_culture(of[2])
    count = int(of[7].integers(FEWEST, MOST + 1)) if cells is None else cells
    needles, stars = place_cells(of[3], field, culture, count)
    if grid:
        add_grid(of[4], glass)
    if debris:
        add_debris(of[5], glass, field, culture, stars)
    cut = place_cut_cells(of[8], field, culture, int(of[8].integers(FEWEST, MOST + 1)))
    for needle in [*needles, *(cut if debris else [])]:
        paint(glass, needle, cell_defocus(glass, needle))
    light = _expose(of[6], glass, field)
    boxes = [visible_box(needle, field)[0] for needle in needles]
    pixels = np.array(boxes, np.float64).reshape(-1, 4) * size
    return Rendered(
        photograph(of[6], light, phone=phone), np.rint(np.clip(pixels, 0, size)).astype(np.int32)
    )


def _draw_optics(rng: np.random.Generator, defocus: float) -> Optics:
    """How well this photo is focused, and the faults of its lenses."""
    focus = rng.uniform(0.3, 1.6) if rng.random() < 0.78 else -rng.uniform(0.1, 1.3)
    tilt = rng.normal(0, 0.25, 2)
    colour = rng.uniform(0.0, 0.3)
    shift, oblique = rng.normal(0, 0.0005, 2), rng.normal(0, 0.0003, 2)
    return Optics(
        focus=float(focus),
        tilt=(float(tilt[0]), float(tilt[1])),
        colour_focus=(-float(colour), 0.0, float(colour)),
        colour_shift=(float(shift[0]), float(shift[1])),
        oblique=(float(oblique[0]), float(oblique[1])),
        spread=float(rng.uniform(0.7, 1.3)),
        defocus=defocus,
    )


def _expose(rng: np.random.Generator, glass: Glass, field: Field) -> Array:
    """Light that reaches the phone, H×W×3: the lamp through glass, rim and pointer, and haze."""
    size = glass.size
    light = light_field(rng, field, size)
    through = light.lamp * np.exp(np.minimum(glass.log, 0.45)) * light.open
    if field.pointer is not None:
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        depth = field.pointer.depth(axis[None], axis[:, None])
        covered = step(depth, 0.0011)[..., None]
        through *= 1 - covered
        gleam = rng.uniform(0, 9) * np.array([0.45, 0.5, 1.0], np.float32)
        through += covered * light.open * gleam
    return (through + light.veil).astype(np.float32)
