"""Pictures of counts: the photo with its boxes, predicted against labelled."""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

CELL = "#ff59d6"  # the walkthrough's pink; no cell and no stain on these photos has it


def draw_count(
    photo: NDArray[np.uint8], boxes: ArrayLike, *, longest: int | None = None
) -> Image.Image:
    """Draw a box around each cell, and their number in the upper left corner.

    Args:
        photo: (height, width, 3) uint8 RGB.
        boxes: (n, 4), xmin, ymin, xmax, ymax in pixels of ``photo``.
        longest: shrink the picture until its longest side has this many pixels.
    """
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    picture = Image.fromarray(photo)
    scale = min(1.0, longest / max(picture.size)) if longest else 1.0
    if scale < 1:
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    line = max(2, max(picture.size) // 500)
    for box in boxes * scale:
        draw.rectangle(tuple(box), outline=CELL, width=line)
    font = ImageFont.load_default(size=max(16, max(picture.size) // 16))
    text = f"{len(boxes)} cells" if len(boxes) != 1 else "1 cell"
    margin = max(picture.size) // 60
    corner = draw.textbbox((2 * margin, 2 * margin), text, font=font)
    plate = (corner[0] - margin, corner[1] - margin, corner[2] + margin, corner[3] + margin)
    draw.rectangle(plate, fill="black")
    draw.text((2 * margin, 2 * margin), text, font=font, fill="white")
    return picture


def predicted_against_labelled(labelled: Sequence[int], predicted: Sequence[int]) -> Figure:
    """Plot each photo's predicted count over its labelled count; the diagonal is perfection."""
    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    most = 1.08 * max([*labelled, *predicted, 1])
    axes.plot([0, most], [0, most], color="0.7", zorder=0)
    axes.scatter(labelled, predicted, color=CELL, edgecolor="black")
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
    axes.set(xlabel="cells labelled by a person", ylabel="cells found by the model")
    plt.close(figure)  # a notebook shows the returned figure; it need not show it twice
    return figure
