"""A photo of other light comes back as it was, but for what was lost."""

import numpy as np
import pytest

from cellcount.photos.levels import Levels

rng = np.random.default_rng(3)
PHOTO = rng.normal((150, 120, 180), 25, (300, 200, 3)).clip(40, 250).astype(np.uint8)
OWN = Levels.of(PHOTO)


def test_levels_are_those_that_a_count_of_pixels_says():
    greys = np.sort(PHOTO.mean(axis=2).ravel())
    assert OWN.low == pytest.approx(greys[60], abs=1)
    assert OWN.high == pytest.approx(greys[-61], abs=1)
    hot = PHOTO.copy()
    hot[::50, ::50] = 255
    hot[1::50, ::50] = 0
    assert abs(Levels.of(hot).high - OWN.high) < 3 and abs(Levels.of(hot).low - OWN.low) < 3


@pytest.mark.parametrize(("times", "more"), [(0.25, 0), (0.5, 0), (0.4, 90), (0.9, 20)])
def test_exposure_and_offset_are_undone(times, more):
    changed = np.rint(PHOTO * times + more).clip(0, 255).astype(np.uint8)
    back = OWN.matched(changed)
    steps = 1 / times  # the greys that one of the changed photo stands for
    assert np.abs(back.astype(int) - PHOTO).max() <= steps + 1
    assert back.shape == PHOTO.shape and back.dtype == np.uint8


def test_a_photo_at_these_levels_stays_the_same():
    assert (OWN.matched(PHOTO) == PHOTO).all()


def test_what_shows_nothing_is_not_stretched():
    assert OWN.matched(np.full((20, 20, 3), 7, np.uint8)) is None
    assert OWN.matched(np.full((1, 1, 3), 255, np.uint8)) is None
    assert OWN.matched(PHOTO // 20) is None  # eight greys are left


def test_the_usual_levels_are_the_geometric_middle():
    found = Levels.usual([Levels(0, 63), Levels(3, 255)])
    assert found.low == pytest.approx(1) and found.high == pytest.approx(127)
