"""A photo with its cells boxed and counted."""

import dataclasses

import numpy as np
import pytest
from PIL import ImageDraw

from cellcount.counting.count import Count, Number
from cellcount.counting.drawing import draw_count

PINK, ORANGE = (255, 89, 214), (230, 159, 0)


def test_boxes_are_drawn_where_the_cells_are():
    photo = np.full((400, 600, 3), 128, np.uint8)
    picture = np.asarray(draw_count(photo, [(300, 200, 360, 240), (500, 300, 520, 390)]))
    ys, xs = np.nonzero((picture == PINK).all(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (300, 200, 520, 390)
    assert tuple(picture[220, 330]) == (128, 128, 128)


@pytest.mark.parametrize(
    ("um_per_px", "longest", "pixels", "said"),
    [(0.5, None, 100, "50 µm"), (0.5, 300, 50, "50 µm"), (3, None, 67, "200 µm")],
)
def test_scale_bar_is_as_long_as_it_says(monkeypatch, um_per_px, longest, pixels, said):
    told = []
    draw = ImageDraw.ImageDraw.text

    def text(self, place, words, **how):
        told.append(words)
        draw(self, place, words, **how)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    photo = np.full((400, 600, 3), 128, np.uint8)
    count = dataclasses.replace(_count(()), um_per_px=um_per_px)
    picture = np.asarray(draw_count(photo, count, longest=longest))
    assert said in told
    lowest = np.flatnonzero((picture == 255).all(axis=2).any(axis=1))[-1]
    assert (picture[lowest] == 255).all(axis=1).sum() == pytest.approx(pixels, abs=1)
    told.clear()
    draw_count(photo, _count(()))
    assert not any("µm" in text for text in told)


def test_shrunken_picture_keeps_boxes_on_their_cells():
    photo = np.full((1000, 2000, 3), 128, np.uint8)
    picture = draw_count(photo, [(1000, 600, 1200, 800)], longest=500)
    assert picture.size == (500, 250)
    ys, xs = np.nonzero((np.asarray(picture) == PINK).all(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((250, 150, 300, 200), abs=1)


def test_count_stands_in_the_corner():
    photo = np.full((400, 600, 3), 128, np.uint8)
    plates = [np.asarray(draw_count(photo, np.zeros((n, 4)) + 399))[:80, :300] for n in (1, 2)]
    assert (plates[0] == 0).any() and (plates[0] == 255).any()
    assert not np.array_equal(*plates)


def _count(kinds, **more):
    boxes = np.array([(300.0, 600, 360, 640)] * len(kinds))
    numbers = {name: Number(kinds.count(name)) for name in ("rbc", "wbc", "🦠" * 80)}
    scores, names = np.ones(len(kinds)), np.array(kinds, dtype=str)
    count = Count("a", len(kinds), boxes, scores, kinds=names, by_class=numbers)
    return dataclasses.replace(count, **more)


def test_each_class_has_a_colour_and_a_line_in_the_legend():
    photo = np.full((700, 600, 3), 128, np.uint8)
    for kind, colour in (("rbc", PINK), ("wbc", (86, 180, 233))):
        picture = np.asarray(draw_count(photo, _count([kind])))
        ys, xs = np.nonzero((picture[550:] == colour).all(axis=2))
        assert (xs.min(), ys.min() + 550, xs.max(), ys.max() + 550) == (300, 600, 360, 640)


def test_reasons_to_look_stand_on_the_picture():
    photo = np.full((700, 600, 3), 128, np.uint8)
    calm, odd = (draw_count(photo, _count(["rbc"], why=why)) for why in ((), ("it is blurred",)))
    assert not (np.asarray(calm) == ORANGE).all(axis=2).any()
    assert (np.asarray(odd) == ORANGE).all(axis=2).any()


def test_no_cells_no_boxes():
    photo = np.full((100, 100, 3), 128, np.uint8)
    assert not (np.asarray(draw_count(photo, [])) == PINK).all(axis=2).any()
