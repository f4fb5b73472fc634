"""Boxes on photos as they are stored, which their EXIF tag turns upright.

ImageJ and QuPath show the stored pixels: Java's own readers of pictures do not look at the tag.
"""

from collections.abc import Callable

from cellcount.labels.outlines import Outline

Corners = tuple[float, float, float, float]
Turning = Callable[[Corners, int, tuple[int, int]], Corners]

# By EXIF's orientation: whether x and y are exchanged, then left and right, then top and bottom.
_TURNS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def upright(box: Corners, turn: int, size: tuple[int, int]) -> Corners:
    """Where a box on the stored photo lies on the upright one.

    Args:
        box: xmin, ymin, xmax, ymax in pixels of the stored photo.
        turn: EXIF's orientation of the photo.
        size: (width, height) of the upright photo.
    """
    exchanged, mirrored, upside_down = _TURNS[turn]
    left, top, right, bottom = box
    if exchanged:
        left, top, right, bottom = top, left, bottom, right
    if mirrored:
        left, right = size[0] - right, size[0] - left
    if upside_down:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


def stored(box: Corners, turn: int, size: tuple[int, int]) -> Corners:
    """Where a box on the upright photo lies on the stored one, the reverse of :func:`upright`.

    Args:
        box: xmin, ymin, xmax, ymax in pixels of the upright photo.
        turn: EXIF's orientation of the photo.
        size: (width, height) of the upright photo.
    """
    back = {6: 8, 8: 6}.get(turn, turn)
    return upright(box, back, size[::-1] if _TURNS[turn][0] else size)


def turned(outline: Outline, way: Turning, turn: int, size: tuple[int, int]) -> Outline:
    """Where an outline lies on the other photo.

    Args:
        outline: rings of (x, y).
        way: :func:`upright` or :func:`stored`.
        turn: EXIF's orientation of the photo.
        size: (width, height) of the upright photo.
    """
    return tuple(tuple(way((x, y, x, y), turn, size)[:2] for x, y in ring) for ring in outline)
