"""Pictures of counts."""

import numpy as np
import pytest

from cellcount.calibration.matching import Prediction
from cellcount.judging.evaluation import Confusion
from cellcount.judging.plots import (
    bland_altman,
    confusion,
    draw_mistakes,
    f1_against_threshold,
    predicted_against_labelled,
    threshold_dial,
)

PINK, BLUE, ORANGE = (255, 89, 214), (0, 114, 178), (230, 159, 0)
# One cell found, one missed because its box is unsure, one false alarm.
FOUND = Prediction(
    "a.jpg",
    np.array([(200, 200, 240, 240), (300, 300, 340, 340), (400, 100, 440, 140)], float),
    np.array([0.9, 0.3, 0.8]),
    np.array([(202, 200, 242, 240), (300, 302, 340, 342)], float),
)


def test_confusion_shows_every_number():
    figure = confusion(Confusion(("rbc", "wbc"), np.array([[5, 1, 2], [0, 3, 0], [4, 0, 0]])))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == list("512030400")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["rbc", "wbc", "missed"]


def test_every_photo_is_a_dot():
    figure = predicted_against_labelled([10, 40, 90], [12, 38, 90])
    (dots,) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == [[10, 12], [40, 38], [90, 90]]
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()


def _extent(picture, colour):
    ys, xs = np.nonzero((np.asarray(picture) == colour).all(axis=2))
    below = ys > 190  # the words are above
    below |= xs > 300
    return xs[below].min(), ys[below].min(), xs[below].max(), ys[below].max()


def test_mistakes_are_told_by_colour():
    photo = np.full((500, 600, 3), 128, np.uint8)
    picture = draw_mistakes(photo, FOUND, 0.5)
    assert _extent(picture, PINK) == (200, 200, 240, 240)
    assert _extent(picture, BLUE) == (300, 302, 340, 342)
    assert _extent(picture, ORANGE) == (400, 100, 440, 140)
    # With the unsure box, nothing is missed.
    with pytest.raises(ValueError, match="zero-size"):
        _extent(draw_mistakes(photo, FOUND, 0.2), BLUE)


def test_dial_has_a_picture_for_each_threshold():
    photo = np.full((500, 600, 3), 128, np.uint8)
    figure = threshold_dial(photo, FOUND.boxes, FOUND.scores, [0.2, 0.5, 0.85])
    assert [axis.get_title() for axis in figure.axes] == [
        f"threshold {t:.2f}" for t in (0.2, 0.5, 0.85)
    ]
    pink = [
        (np.asarray(axis.images[0].get_array())[..., :3] == PINK).all(axis=2).sum()
        for axis in figure.axes
    ]
    assert pink[0] > pink[1] > pink[2] > 0


def test_intervals_are_bars():
    figure = predicted_against_labelled([10, 40], [12, 38], [(9, 14), (30, 44)])
    bars = figure.axes[0].collections[0].get_segments()
    assert [bar.tolist() for bar in bars] == [[[10, 9], [10, 14]], [[40, 30], [40, 44]]]


def test_bland_altman_shows_bias_and_limits():
    (axis,) = bland_altman([10, 20, 30], [12, 20, 34]).axes
    assert axis.collections[0].get_offsets().tolist() == [[11, 2], [20, 0], [32, 4]]
    heights = [line.get_ydata()[0] for line in axis.lines]
    assert heights == pytest.approx([2, 2 + 1.96 * 2, 2 - 1.96 * 2])


def test_f1_is_drawn_against_the_threshold():
    (axis,) = f1_against_threshold([FOUND]).axes
    lines = {line.get_label(): line for line in axis.lines}
    # Above 0.85 there is one box, a cell: precision 1, recall 1/2.
    assert lines["precision"].get_ydata()[0] == 1
    assert lines["recall"].get_ydata()[0] == 0.5
    assert lines["F1"].get_ydata()[-1] == pytest.approx(0.8)
