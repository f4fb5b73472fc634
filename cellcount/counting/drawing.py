"""A photo with its cells boxed and counted."""

from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from matplotlib.font_manager import FontProperties, findfont
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from cellcount.counting.colours import CELL, CLASSES, FALSE_ALARM, MISS, OTHERS
from cellcount.counting.count import Count
from cellcount.photos.reading import pixels_of

_LEGEND, _NAME = 10, 25  # lines; letters
_BAR = 4  # a scale bar is a quarter of the picture long, at most

Photo = str | Path | NDArray[np.uint8]  # a file, or pixels (height, width, 3) in RGB


def draw_count(
    photo: Photo, boxes: ArrayLike | Count, *, longest: int | None = None
) -> Image.Image:
    """Draw a box around each cell, and their number in the upper left corner.

    The number of a count is its own, with its interval: where more cells are expected than have a
    box, it says so. Each of several classes has a colour, and a line in the legend; reasons to look
    at the photo stand below.

    Args:
        photo: its path or its pixels.
        boxes: (n, 4), xmin, ymin, xmax, ymax in pixels of ``photo``; or a count of it.
        longest: shrink the picture until its longest side has this many pixels.
    """
    if not isinstance(boxes, Count):
        boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
        return draw_boxes(photo, [(boxes, CELL)], [(_cells(len(boxes)), "white")], longest)
    count, drawn = boxes, []
    interval = "" if count.low is None else f" ({count.low} to {count.high})"
    words = [(_cells(count.n) + interval, "white")]
    colours = chain(CLASSES, repeat(OTHERS))
    for (name, some), colour in zip(count.drawn.items(), colours, strict=False):
        drawn.append((some, colour))
        if len(count.drawn) > 1:
            words.append((f"{count.by_class[name].n} {short(name)}", colour))
    words = words[:_LEGEND]
    if (more := count.n - len(count.boxes)) > 0:
        words.append((f"{more} more than boxes", "white"))
    words += [(f"Look: {reason}", FALSE_ALARM) for reason in count.why or ()]
    return draw_boxes(
        photo, drawn, words, longest, um_per_px=count.um_per_px, outline=count.outline
    )


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"


def draw_boxes(
    photo: Photo,
    drawn: Sequence[tuple[ArrayLike, str]],
    words: Sequence[tuple[str, str]],
    longest: int | None,
    *,
    um_per_px: float | None = None,
    outline: ArrayLike | None = None,
) -> Image.Image:
    """Boxes (n, 4) in their colours, and words in theirs on a plate in the upper left corner.

    A scale bar lies in the lower right one, if it is known how wide a pixel of the photo is. An
    outline (n, 2) is drawn around what was counted.
    """
    picture = Image.fromarray(pixels_of(photo))
    scale = min(1.0, longest / max(picture.size)) if longest else 1.0
    if scale < 1:
        shrunk = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(shrunk, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    line = max(2, max(picture.size) // 500)
    if outline is not None:
        corners = [tuple(corner) for corner in np.asarray(outline, dtype=float) * scale]
        for colour, width in (("black", 2 * line), ("white", line)):  # seen on light and dark
            draw.line(corners, fill=colour, width=width)
    for boxes, colour in drawn:
        for box in np.asarray(boxes, dtype=float).reshape(-1, 4) * scale:
            draw.rectangle(tuple(box), outline=colour, width=line)
    size = max(12, max(picture.size) // (16 * len(words) ** 0.5))
    font = ImageFont.truetype(findfont(FontProperties()), size)  # Pillow's own has no µ
    margin = max(picture.size) // 60
    top = 2 * margin
    for text, colour in words:
        corner = draw.textbbox((2 * margin, top), text, font=font)
        plate = (corner[0] - margin, corner[1] - margin, corner[2] + margin, corner[3] + margin)
        draw.rectangle(plate, fill="black" if colour != MISS else "white")
        draw.text((2 * margin, top), text, font=font, fill=colour)
        top = round(plate[3] + margin)
    if um_per_px is not None:
        um, text = _round_length(picture.width * um_per_px / (scale * _BAR))
        right, bottom = picture.width - 2 * margin, picture.height - 2 * margin
        left = right - round(um * scale / um_per_px)
        plate = (left - margin, bottom - 3 * line - margin, right + margin, bottom + margin)
        begin = min(left, right - draw.textlength(text, font=font))  # of words longer than the bar
        above = draw.textbbox((begin, plate[1]), text, font=font, anchor="lb")
        draw.rectangle(
            (min(plate[0], begin - margin), above[1] - margin, max(plate[2], above[2]), plate[3]),
            fill="black",
        )
        draw.text((begin, plate[1]), text, font=font, fill="white", anchor="lb")
        draw.rectangle((left, bottom - 3 * line, right, bottom), fill="white")
    return picture


def _round_length(um: float) -> tuple[float, str]:
    """The longest of 1, 2 and 5 times a power of ten that is no longer, and how it is written."""
    power = 10.0 ** np.floor(np.log10(um))
    length = float(max(one * power for one in (1, 2, 5) if one * power <= um * (1 + 1e-9)))
    return length, f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


def short(name: str) -> str:
    """A name that fits into a legend."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
