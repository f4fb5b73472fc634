"""How many photos have how many cells, as an SVG."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BARS = 20  # about
_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW = 640, 200, 44, 14, 40
_LIKE, _UNLIKE = "#0072b2", "#e69f00"  # Okabe & Ito, as the boxes


class Bar(NamedTuple):
    """Photos with ``low`` to ``high`` cells: how many of them are to be looked at, or not."""

    low: int
    high: int
    like: int
    unlike: int


def bars(counts: Sequence[int], flagged: Sequence[bool]) -> list[Bar]:
    """Bars of one width, 1, 2 or 5 times a power of ten, over all that was counted.

    Args:
        counts: of the photos, one at least.
        flagged: whether each is to be looked at.
    """
    least, most = min(counts), max(counts)
    wanted = (most - least + 1) / _BARS
    width = next(
        step * 10**power for power in range(12) for step in (1, 2, 5) if step * 10**power >= wanted
    )
    first = least // width * width
    edges = np.arange(first, most + width + 1, width)
    odd = np.asarray(flagged, dtype=bool)
    like, unlike = (np.histogram(np.asarray(counts)[some], edges)[0] for some in (~odd, odd))
    made = zip(edges[:-1].tolist(), like.tolist(), unlike.tolist(), strict=True)
    return [Bar(low, low + width - 1, usual, strange) for low, usual, strange in made]


def histogram(counts: Sequence[int], flagged: Sequence[bool]) -> str:
    """The bars as an SVG, those to be looked at in a colour of their own; it has no text of users.

    Args:
        counts: of the photos, one at least.
        flagged: whether each is to be looked at.
    """
    found = bars(counts, flagged)
    tallest = max(one.like + one.unlike for one in found)
    step = (_WIDTH - _LEFT) / len(found)
    high = _HEIGHT - _TOP - _BELOW
    floor = _HEIGHT - _BELOW
    parts = []
    for place, one in enumerate(found):
        left, bottom = _LEFT + place * step, float(floor)
        range_of = f"{one.low}" if one.low == one.high else f"{one.low} to {one.high}"
        told = f"{range_of} cells: {one.like + one.unlike} photos, {one.unlike} to be looked at"
        parts.append(f"<g><title>{told}</title>")
        for number, colour in ((one.like, _LIKE), (one.unlike, _UNLIKE)):
            tall = high * number / tallest
            bottom -= tall
            parts.append(
                f'<rect x="{left + 1:.1f}" y="{bottom:.1f}" width="{max(1.0, step - 2):.1f}" '
                f'height="{tall:.1f}" fill="{colour}"/>'
            )
        parts.append("</g>")
        if place % -(-len(found) // 10) == 0:
            parts.append(_text(left + step / 2, floor + 15, range_of.replace(" to ", "–")))
    parts.append(_text(_LEFT + (_WIDTH - _LEFT) / 2, _HEIGHT - 4, "cells on a photo"))
    for number in {0, tallest}:
        y = floor - high * number / tallest
        parts.append(_text(_LEFT - 6, y + 4, str(number), "end"))
    parts.append(
        f'<text x="12" y="{_TOP + high / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {_TOP + high / 2})">photos</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="How many photos have how '
        f'many cells">{"".join(parts)}'
        f'<path d="M{_LEFT} {floor}H{_WIDTH}" stroke="currentColor"/></svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
