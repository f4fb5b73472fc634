"""The round field is found where it was drawn, and nowhere where none is."""

import cv2
import numpy as np
import pytest

from cellcount.photos.reading import list_photos, read_photo
from cellcount.photos.round_field import round_field
from cellcount.render import render_photo
from cellcount.render.field import draw_field
from tests.conftest import ROOT

Y, X = np.mgrid[:480, :640] + 0.5
FROM_CENTRE = np.hypot(X - 320, Y - 240)


def photo(light):
    return np.repeat(np.asarray(light).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("x", "y", "radius"), [(330, 250, 130), (300, 200, 300), (100, 240, 200), (320, 500, 330)]
)
def test_field_is_found_where_it_is(x, y, radius):
    """Also where the photo's rim cuts off a part of it."""
    found = round_field(photo(np.where(np.hypot(X - x, Y - y) < radius, 200, 40)))
    assert found == pytest.approx((x, y, radius), abs=0.01 * radius)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_rendered_field_is_found_where_it_was_drawn(seed):
    """Behind a pointer, cells, a coloured rim and haze."""
    drawn = draw_field(np.random.default_rng([seed, 0]))
    found = round_field(render_photo(seed, size=256, cells=30).image)
    assert np.divide(found, 256) == pytest.approx((drawn.x, drawn.y, drawn.radius), abs=0.01)


NO_FIELDS = {
    "nothing": np.full((480, 640), 200),
    "one pixel": np.full((1, 1), 200),
    "a line": np.arange(200)[None],
    "noise": np.random.default_rng(0).integers(0, 256, (480, 640)),
    "a lamp that fades": 230 * np.exp(-((FROM_CENTRE / 350) ** 2)),
    "a square": np.where((abs(X - 320) < 200) & (abs(Y - 240) < 200), 200, 10),
    "an ellipse": np.where(((X - 320) / 220) ** 2 + ((Y - 240) / 180) ** 2 < 1, 200, 10),
    "a dark disc": np.where(FROM_CENTRE < 200, 10, 200),
    "half in the light": np.where(X < 320, 200, 10),
    "small bright cells": np.where((X % 80 - 40) ** 2 + (Y % 80 - 40) ** 2 < 500, 200, 10),
}


@pytest.mark.parametrize("name", NO_FIELDS)
def test_no_field_is_found_where_none_is(name):
    assert round_field(photo(NO_FIELDS[name])) is None


def test_no_field_is_found_on_photos_of_a_camera():
    for one in list_photos(ROOT / "data" / "not_labeled"):
        assert round_field(read_photo(one)) is None


def test_fields_of_real_photos(real_photos):
    """What lies inside by the circle and by brightness agrees, but for the pointer and a shadow."""
    for one in list_photos(real_photos):
        pixels = read_photo(one, shrink_to=512)
        found = round_field(pixels)
        assert found is not None, one
        height, width = pixels.shape[:2]
        y, x = np.mgrid[:height, :width] + 0.5
        inside = np.hypot(x - found.x, y - found.y) < found.radius
        _, light = cv2.threshold(pixels.max(axis=2), 0, 1, cv2.THRESH_OTSU)
        assert (inside & (light > 0)).sum() / (inside | (light > 0)).sum() > 0.9
