"""Everything in the field that is not a labelled cell: dust, crystals, bubbles, ghosts, smudges."""

from dataclasses import replace

import numpy as np

from .cells import SHARPEST_GHOST, Needle, paint
from .culture import Culture, draw_needle, radiate
from .field import Field
from .optics import Array, Glass, smooth_noise

GREY = np.array([1.0, 0.97, 1.0], np.float32)


def add_debris(
    rng: np.random.Generator,
    glass: Glass,
    field: Field,
    culture: Culture,
    stars: list[tuple[float, float]],
) -> None:
    """Strew all kinds of debris over the glass; how much of each differs from photo to photo."""
    _texture(rng, glass)
    _specks(rng, glass, field)
    for _ in range(rng.poisson(1.2)):
        _chain_of_dots(rng, glass, field)
    for _ in range(rng.poisson(rng.gamma(1.5, 7.0))):
        _empty_cell(rng, glass, field, culture)
    for _ in range(rng.poisson(0.7)):
        _crystal(rng, glass, field)
    for _ in range(rng.poisson(1.5)):
        _smudge(rng, glass, field)
    for _ in range(rng.poisson(0.35)):
        _bubble(rng, glass, field)
    _ghosts(rng, glass, field, culture, stars)


def _anywhere(rng: np.random.Generator, field: Field) -> tuple[float, float]:
    r, turn = field.radius * np.sqrt(rng.random()), rng.uniform(-np.pi, np.pi)
    return field.x + r * np.cos(turn), field.y + r * np.sin(turn)


def _sign(rng: np.random.Generator, glass: Glass) -> int:
    """Objects float above the glass: mostly defocused towards the side the photo leans to."""
    lean = 1 if glass.optics.focus >= 0 else -1
    return lean if rng.random() < 0.8 else -lean


def _texture(rng: np.random.Generator, glass: Glass) -> None:
    """The faint mottling of film and slime on the glass."""
    n = glass.size
    for grain, strength in ((0.0035, 0.006), (0.010, 0.007), (0.05, 0.007)):
        noise = smooth_noise(rng, (n, n), max(grain * n, 1.5))
        glass.log += (rng.uniform(0.2, 1.0) * strength * noise)[..., None]


def _specks(rng: np.random.Generator, glass: Glass, field: Field) -> None:
    """Bacteria and dust: twenty kinds a photo, each strewn many times."""
    many = int(np.clip(rng.lognormal(5.2, 0.8), 20, 1100))
    lean = glass.optics.focus
    share = rng.dirichlet(np.full(20, 1.2))
    for number in rng.multinomial(many, share):
        radius = 0.0006 + rng.gamma(1.2, 0.0006)
        z = lean + rng.normal(0, 0.9)
        columns, rows = glass.window(0.5, 0.5, (2 * radius, 2 * radius), z)
        dx, dy = columns[None] / glass.size - 0.5, rows[:, None] / glass.size - 0.5
        turn, flat = rng.uniform(-np.pi, np.pi), rng.uniform(0.6, 1.0)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        d2 = ((dx * c + dy * s) * flat) ** 2 + ((dy * c - dx * s) / flat) ** 2
        blob = np.exp(-d2 / np.float32(radius**2)).astype(np.float32)
        dark = (rng.uniform(0, 0.35) * blob)[..., None] * GREY
        image = glass.image(dark, rng.uniform(0.1, 0.9) * blob, z)
        for _ in range(number):
            x, y = _anywhere(rng, field)
            moved = (round((x - 0.5) * glass.size), round((y - 0.5) * glass.size))
            strength = np.float32(rng.uniform(0.3, 1.1))
            glass.paste(columns + moved[0], rows + moved[1], image * strength)


def _dots(rng: np.random.Generator, glass: Glass, at: Array, radius: Array, z: float) -> None:
    """Draw some round dots at 2×n points that lie near each other, as one object."""
    x, y = at
    middle = (float(x.mean()), float(y.mean()))
    wide = float(radius.max()) * 2
    half = (float(np.ptp(x)) / 2 + wide + 0.004, float(np.ptp(y)) / 2 + wide + 0.004)
    columns, rows = glass.window(*middle, half, z)
    px, py = columns[None] / glass.size, rows[:, None] / glass.size
    blob = np.zeros((len(rows), len(columns)), np.float32)
    for k in range(len(x)):
        blob += np.exp(-((px - x[k]) ** 2 + (py - y[k]) ** 2) / radius[k] ** 2).astype(np.float32)
    dark = (rng.uniform(0.05, 0.3) * blob)[..., None] * GREY
    glass.add(columns, rows, dark, rng.uniform(0.1, 0.6) * blob, z)


def _chain_of_dots(rng: np.random.Generator, glass: Glass, field: Field) -> None:
    """What is left of a burst cell: a row of grains."""
    x, y = _anywhere(rng, field)
    many = int(rng.integers(4, 11))
    along = np.linspace(-0.5, 0.5, many) * rng.uniform(0.02, 0.075)
    turn = rng.uniform(-np.pi, np.pi)
    bow = rng.normal(0, 4) * along**2
    jitter = rng.normal(0, 0.0012, (2, many))
    px = x + along * np.cos(turn) - bow * np.sin(turn) + jitter[0]
    py = y + along * np.sin(turn) + bow * np.cos(turn) + jitter[1]
    radius = rng.uniform(0.0008, 0.0024, many)
    _dots(rng, glass, np.array([px, py]), radius, glass.optics.focus + rng.normal(0, 0.4))


def _empty_cell(rng: np.random.Generator, glass: Glass, field: Field, culture: Culture) -> None:
    """An empty wall: two pale parallel lines, or a short pale bar."""
    needle = draw_needle(rng, culture, *_anywhere(rng, field))
    clear = float(rng.uniform(0.0, 0.05))
    needle = replace(
        needle,
        length=needle.length * rng.uniform(0.4, 1.0),
        width=needle.width * rng.uniform(0.4, 1.0),
        pigment=(clear, clear, clear),
        phase=rng.uniform(0.03, 0.2),
        skin=rng.uniform(0.0, 0.05),
    )
    paint(glass, needle, glass.optics.at(needle.x, needle.y) + rng.normal(0, 0.5))


def _crystal(rng: np.random.Generator, glass: Glass, field: Field) -> None:
    """An irregular lump with a lit and a dark side to each of its grains."""
    x, y = _anywhere(rng, field)
    radius, z = rng.uniform(0.006, 0.03), glass.optics.focus + rng.normal(0, 0.8)
    columns, rows = glass.window(x, y, (1.6 * radius, 1.6 * radius), z)
    dx, dy = columns[None] / glass.size - x, rows[:, None] / glass.size - y
    shape = (len(rows), len(columns))
    edge = 1 + 0.25 * smooth_noise(rng, shape, 0.5 * radius * glass.size)
    inside = np.clip((edge - np.hypot(dx, dy) / radius) * 3, 0, 1)
    grains = smooth_noise(rng, shape, max(rng.uniform(0.10, 0.3) * radius * glass.size, 1.5))
    grains = np.clip(grains, -2, 2)
    phase = (inside * (0.35 + 0.5 * grains) * rng.uniform(0.25, 1.0)).astype(np.float32)
    dark = inside * np.clip(grains, 0, None) * rng.uniform(0, 0.15)
    tint = np.array([1.0, 0.9, 1.1], np.float32)
    glass.add(columns, rows, dark[..., None].astype(np.float32) * tint, phase, z)


def _smudge(rng: np.random.Generator, glass: Glass, field: Field) -> None:
    """Dust far out of focus, or a curl of dirt on the eyepiece."""
    x, y = _anywhere(rng, field)
    lobes = int(rng.integers(1, 5))
    span = rng.uniform(0.004, 0.02)
    px, py = x + rng.normal(0, span, lobes), y + rng.normal(0, span, lobes)
    radius = rng.uniform(0.003, 0.011, lobes)
    z = _sign(rng, glass) * rng.uniform(1.5, 8)
    _dots(rng, glass, np.array([px, py]), radius, z)


def _bubble(rng: np.random.Generator, glass: Glass, field: Field) -> None:
    """An air bubble: a dark ring, bright within."""
    x, y = _anywhere(rng, field)
    radius, z = rng.uniform(0.004, 0.02), glass.optics.focus + rng.normal(0, 0.5)
    columns, rows = glass.window(x, y, (1.3 * radius, 1.3 * radius), z)
    dx, dy = columns[None] / glass.size - x, rows[:, None] / glass.size - y
    r = (np.hypot(dx, dy) / radius).astype(np.float32)
    thick = rng.uniform(0.08, 0.25)
    ring = np.exp(-(((r - 1 + thick) / thick) ** 2))
    glow = np.exp(-((r / rng.uniform(0.3, 0.6)) ** 2))
    dark = rng.uniform(0.15, 0.7) * ring - rng.uniform(0, 0.08) * glow
    phase = rng.uniform(-0.8, 0.8) * np.clip(1 - r * r, 0, None)
    glass.add(columns, rows, dark[..., None] * GREY, phase.astype(np.float32), z)


def _ghosts(
    rng: np.random.Generator,
    glass: Glass,
    field: Field,
    culture: Culture,
    stars: list[tuple[float, float]],
) -> None:
    """Cells so far out of focus that nobody labels them: singly, and in clouds at stars."""
    crowd: list[tuple[Needle, float]] = []
    for _ in range(rng.poisson(rng.gamma(1.0, 2.0))):
        crowd.append((draw_needle(rng, culture, *_anywhere(rng, field)), rng.uniform(0, 5)))
    centres = [c for c in stars if rng.random() < 0.75]
    centres += [_anywhere(rng, field) for _ in range(rng.poisson(0.4))]
    for centre in centres:
        many = int(rng.integers(1, 7))
        deeper = rng.uniform(0, 5)
        for needle in radiate(rng, culture, centre, many, 0.0):
            crowd.append((needle, deeper * rng.random()))
        if rng.random() < 0.35:  # the knot that holds the star together
            px, py = np.array(centre)[:, None] + rng.normal(0, 0.004, (2, 4))
            _dots(rng, glass, np.array([px, py]), rng.uniform(0.002, 0.006, 4), 2.5)
    for needle, deeper in crowd:
        paint(glass, needle, _sign(rng, glass) * (SHARPEST_GHOST + deeper))
