"""Pictures of counts."""

import numpy as np
import pytest

from cellcount.plots import draw_count, predicted_against_labelled

PINK = (255, 89, 214)


def test_boxes_are_drawn_where_the_cells_are():
    photo = np.full((400, 600, 3), 128, np.uint8)
    picture = np.asarray(draw_count(photo, [(300, 200, 360, 240), (500, 300, 520, 390)]))
    ys, xs = np.nonzero((picture == PINK).all(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (300, 200, 520, 390)
    assert tuple(picture[220, 330]) == (128, 128, 128)


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


def test_no_cells_no_boxes():
    photo = np.full((100, 100, 3), 128, np.uint8)
    assert not (np.asarray(draw_count(photo, [])) == PINK).all(axis=2).any()


def test_every_photo_is_a_dot():
    figure = predicted_against_labelled([10, 40, 90], [12, 38, 90])
    (dots,) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == [[10, 12], [40, 38], [90, 90]]
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()
