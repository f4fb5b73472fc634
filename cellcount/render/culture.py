"""What the cells of one photo have in common, and how they lie: singly, in bundles, in stars."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .cells import Needle, visible_box
from .field import Field

LEAST_VISIBLE = 0.5  # share of a labelled cell's area that is seen; a person leaves out the rest


@dataclass(frozen=True)
class Culture:
    """What the cells of one photo have in common."""

    length: float
    slender: float
    pigment: NDArray[np.float64]
    phase: float
    skin: float
    spread_z: float
    crowding: NDArray[np.float64]  # chances of single, bundle, crossing, V or chain, star


def draw_culture(rng: np.random.Generator) -> Culture:
    """The kind of cells of this photo: green, olive, brown or grey; slender or full."""
    kinds = np.array(
        [[0.40, 0.27, 0.36], [0.30, 0.08, 0.85], [0.30, 0.25, 0.46], [0.33, 0.33, 0.35]]
    )
    mix = rng.dirichlet([0.6, 0.35, 0.5, 0.25])
    return Culture(
        length=rng.uniform(0.065, 0.080),
        slender=rng.uniform(6.4, 10.2),
        pigment=(mix @ kinds) * rng.uniform(0.4, 1.5),
        phase=rng.uniform(0.3, 1.3),
        skin=rng.uniform(0.12, 0.65),
        spread_z=rng.uniform(0.1, 0.6),
        crowding=rng.dirichlet([14, 1.5, 0.4, 1.0, 0.35]),
    )


def draw_needle(rng: np.random.Generator, culture: Culture, x: float, y: float) -> Needle:
    """One cell of a culture, at any angle."""
    length = culture.length * np.clip(rng.normal(1, 0.14), 0.5, 1.5)
    slender = culture.slender * np.clip(rng.lognormal(0, 0.16), 0.7, 1.6)
    pale = rng.uniform(0.25, 0.6) if rng.random() < 0.1 else rng.uniform(0.7, 1.2)
    pigment = culture.pigment * rng.normal(1, 0.08, 3) * pale
    return Needle(
        x,
        y,
        rng.uniform(-np.pi, np.pi),
        length,
        float(np.clip(length / slender, 0.0055, 0.0125)),
        rng.normal(0, 0.028),
        rng.normal(0, 0.03),
        rng.uniform(1.7, 2.6),
        rng.uniform(0.9, 1.3),
        rng.normal(0, culture.spread_z),
        (float(pigment[0]), float(pigment[1]), float(pigment[2])),
        culture.phase * rng.uniform(0.7, 1.25) * (0.5 + 0.5 * pale),
        culture.skin * rng.uniform(0.5, 1.5),
        int(rng.integers(2**31)),
    )


def place_cells(
    rng: np.random.Generator, field: Field, culture: Culture, count: int
) -> tuple[list[Needle], list[tuple[float, float]]]:
    """Lay out exactly `count` labelled cells; also the centres of the stars they form.

    The first n cells do not depend on how many follow them.
    """
    needles: list[Needle] = []
    stars: list[tuple[float, float]] = []
    while len(needles) < count:
        kind = rng.choice(5, p=culture.crowding)
        x, y = _somewhere(rng, field)
        first = draw_needle(rng, culture, x, y)
        if kind == 4:
            stars.append((x, y))
        group = _ARRANGE[kind](rng, culture, first)
        for needle in group:
            if len(needles) < count and _fits(rng, field, needle, needles[: len(needles)], kind):
                needles.append(needle)
    return needles, stars


def place_cut_cells(
    rng: np.random.Generator, field: Field, culture: Culture, tries: int
) -> list[Needle]:
    """Cells that rim, frame or pointer hide by more than half, as dense as `tries` in the field."""
    needles = []
    for _ in range(tries):
        # A cell whose centre lies beyond the rim may reach into the field.
        x, y = _somewhere(rng, replace(field, radius=field.radius + 0.5 * culture.length))
        needle = draw_needle(rng, culture, x, y)
        if 0 < visible_box(needle, field)[1] < LEAST_VISIBLE:
            needles.append(needle)
    return needles


def _somewhere(rng: np.random.Generator, field: Field) -> tuple[float, float]:
    """A point of the field that lies in the frame, all equally likely."""
    while True:
        r, turn = field.radius * np.sqrt(rng.random()), rng.uniform(-np.pi, np.pi)
        x, y = field.x + r * np.cos(turn), field.y + r * np.sin(turn)
        if 0 < x < 1 and 0 < y < 1:
            return x, y


def _fits(
    rng: np.random.Generator, field: Field, needle: Needle, others: list[Needle], kind: int
) -> bool:
    """Whether enough of a cell is seen, it lies on no other, and a lone one has room (mostly)."""
    if visible_box(needle, field)[1] < LEAST_VISIBLE:
        return False
    for other in others:
        near = np.hypot(needle.x - other.x, needle.y - other.y) < 0.9 * needle.width
        # Cells cannot share a place, unless they cross.
        if near and abs(np.sin(needle.angle - other.angle)) < 0.35:
            return False
    if kind != 0 or rng.random() < 0.06:
        return True
    room = 0.42 * needle.length
    return all(np.hypot(needle.x - o.x, needle.y - o.y) > room for o in others)


def _single(rng: np.random.Generator, culture: Culture, first: Needle) -> list[Needle]:
    return [first]


def _bundle(rng: np.random.Generator, culture: Culture, first: Needle) -> list[Needle]:
    """Two to four cells side by side."""
    group = [first]
    for _ in range(rng.integers(1, 4) if rng.random() < 0.2 else 1):
        last = group[-1]
        aside = 0.5 * (last.width + first.width) * rng.uniform(0.8, 1.7)
        along, normal = rng.normal(0, 0.35) * last.length, last.angle + np.pi / 2
        x = last.x + aside * np.cos(normal) + along * np.cos(last.angle)
        y = last.y + aside * np.sin(normal) + along * np.sin(last.angle)
        twin = draw_needle(rng, culture, x, y)
        group.append(replace(twin, angle=last.angle + rng.normal(0, 0.14)))
    return group


def _crossing(rng: np.random.Generator, culture: Culture, first: Needle) -> list[Needle]:
    """Two cells over each other at an angle."""
    dx, dy = rng.normal(0, 0.18, 2) * first.length
    other = draw_needle(rng, culture, first.x + dx, first.y + dy)
    return [first, replace(other, angle=first.angle + rng.uniform(0.4, 2.7))]


def _chain(rng: np.random.Generator, culture: Culture, first: Needle) -> list[Needle]:
    """Cells that touch with their tips: a V, a zigzag, a line."""
    group = [first]
    for _ in range(rng.integers(1, 4)):
        x, y = group[-1].tip(1)
        turn = group[-1].angle + rng.choice([rng.normal(0, 0.5), rng.normal(2.6, 0.3)])
        other = draw_needle(rng, culture, x, y)
        away = other.length * rng.uniform(0.5, 0.56)
        dx, dy = away * np.cos(turn), away * np.sin(turn)
        group.append(replace(other, x=x + dx, y=y + dy, angle=turn))
    return group


def _star(rng: np.random.Generator, culture: Culture, first: Needle) -> list[Needle]:
    """Cells that radiate from a common centre, some of them lifted off the glass."""
    return radiate(rng, culture, (first.x, first.y), int(rng.integers(3, 9)), 0.8)


def radiate(
    rng: np.random.Generator, culture: Culture, centre: tuple[float, float], many: int, lift: float
) -> list[Needle]:
    """`many` cells around a centre, their inner tips near it; `lift` spreads their defocus."""
    first = rng.uniform(-np.pi, np.pi)
    fan = 2 * np.pi if rng.random() < 0.7 else rng.uniform(1.0, 3.0)
    group = []
    for k in range(many):
        angle = first + fan * (k + rng.normal(0, 0.25)) / many
        needle = draw_needle(rng, culture, *centre)
        away = needle.length * (0.5 + rng.uniform(0.02, 0.3))
        x, y = centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle)
        turned = angle + rng.normal(0, 0.1)
        z = needle.z + rng.normal(0, lift)
        shorter = needle.length * rng.uniform(0.7, 1.0)  # seen from above at a slant
        group.append(replace(needle, x=x, y=y, angle=turned, z=z, length=shorter))
    return group


_ARRANGE = (_single, _bundle, _crossing, _chain, _star)
