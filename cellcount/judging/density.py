"""Where the cells of a slide lie: a thumbnail, and beside it a map of their density."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cellcount.counting.boxes import flat_names
from cellcount.counting.count import Count
from cellcount.photos.photo_error import is_large
from cellcount.photos.reading import photo_size, read_photo
from cellcount.photos.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST = 1200  # pixels of the thumbnail
_SQUARES = 80  # in which cells are counted, along the longest side
_SMOOTH = 1.0  # squares


def density_map(thumbnail: NDArray[np.uint8], size: tuple[int, int], count: Count) -> "Figure":
    """A thumbnail of a slide, and the density of its cells, smoothed over neighbouring squares.

    It is told in cells per square millimetre where the size of a pixel is known, else per
    megapixel.

    Args:
        thumbnail: (height, width, 3), RGB.
        size: (width, height) of the slide in pixels.
        count: of the slide, with its boxes.
    """
    from matplotlib import pyplot as plt  # takes a second to load, and few photos are slides

    width, height = size
    side = max(size) / _SQUARES
    across, down = (max(1, round(length / side)) for length in size)
    x, y = count.boxes.reshape(-1, 2, 2).mean(axis=1).T
    within = ((0, height), (0, width))
    number, _, _ = np.histogram2d(y, x, bins=(down, across), range=within)
    smooth = gaussian_filter(number, _SMOOTH, mode="nearest") / (height / down * width / across)
    um = count.um_per_px
    unit = "cells per megapixel" if um is None else "cells per mm²"
    smooth *= 1e6 if um is None else (1000 / um) ** 2
    tall = min(2.5, height / width)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 1 + 5.5 * tall), layout="constrained", sharex=True, sharey=True
    )
    extent = (0, width, height, 0)
    left.imshow(thumbnail, extent=extent)
    shown = right.imshow(smooth, extent=extent, cmap="viridis", interpolation="bilinear", vmin=0)
    figure.colorbar(shown, ax=right, label=unit, shrink=0.9)
    left.set_title(f"{count.photo}: {count.number} cells")
    right.set_title("Where they lie")
    left.set_xlabel("pixels")
    plt.close(figure)
    return figure


def write_density_maps(
    counts: Sequence[Count], photos: Mapping[str, Path], table: Path, view: View
) -> list[Path]:
    """A PNG beside the table for each photo that is too large to be looked at as a whole.

    Counts that have no boxes, as they come from a table, have none.

    Args:
        counts: with their boxes.
        photos: of the counts, by their names in the table.
        table: of the counts.
        view: which channel and slice was counted.

    Raises:
        PhotoError: a photo is gone.
    """
    names, written = flat_names(one.photo for one in counts), []
    for one in counts:
        if one.tile is None or (one.n and not len(one.boxes)):
            continue
        photo = photos[one.photo]
        if is_large(*(size := photo_size(photo))):
            thumbnail = read_photo(photo, shrink_to=_LONGEST, view=view)
            target = table.with_name(f"{table.stem}-{Path(names[one.photo]).stem}-density.png")
            density_map(thumbnail, size, one).savefig(target, dpi=120)
            written.append(target)
    return written
