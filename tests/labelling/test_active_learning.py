"""The signs that a photo is worth a look, against numbers worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from cellcount.labelling.active_learning import (
    REASONS,
    Signs,
    changed,
    features,
    most_first,
    unlike,
    unsure,
)
from cellcount.render import render_folder


def test_unsure_is_the_expected_corrections_a_box():
    # Two drawn, of which 0.1 + 0.4 are wrong; 0.3 of a cell is not drawn; 0.1 is clutter.
    assert unsure([0.9, 0.6, 0.3, 0.1], 2) == pytest.approx((0.5 + 0.3) / 2)
    assert unsure([1.0, 1.0], 2) == 0
    assert unsure([], 0) == 0


def test_changed_counts_boxes_without_a_partner():
    boxes = np.array([(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)], dtype=float)
    assert changed(boxes, boxes[::-1]) == 0
    assert changed(boxes, boxes[:2]) == pytest.approx(1 / 5)
    assert changed(boxes, boxes + 500) == 1
    assert changed(boxes[:0], boxes[:0]) == 0


def test_unlike_is_measured_in_distances_among_the_labelled():
    def at(degrees):
        return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]

    known = [at(0), at(10)]
    usual = 1 - np.cos(np.radians(10))
    assert unlike(at(40), known) == pytest.approx((1 - np.cos(np.radians(30))) / usual)
    assert unlike(at(10), known) == pytest.approx(0, abs=1e-9)
    assert unlike(at(40), known[:1]) is None


def test_photo_of_another_kind_is_the_least_like(tmp_path):
    photos = render_folder(tmp_path, photos=4, seed=2, size=384, cells=(10, 30))
    noise = tmp_path / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (384, 384, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(noise)
    known = [features(photo) for photo in photos[:3]]
    assert np.linalg.norm(known[0]) == pytest.approx(1)
    assert unlike(features(noise), known) > 3 * unlike(features(photos[3]), known)


def test_most_first_goes_by_mean_rank_and_names_the_strongest_sign():
    signs = [Signs(0.1, 0.1, 1.0), Signs(0.2, 0.3, 9.0), Signs(0.3, 0.2, 2.0)]
    # Ranks: (1, 1, 1), (2, 3, 3), (3, 2, 2).
    assert [place for place, _ in most_first(signs)] == [1, 2, 0]
    assert most_first(signs)[1][1] == REASONS[0]
    without = [Signs(0.1, 0.4, None), Signs(0.2, 0.5, None)]
    assert [place for place, _ in most_first(without)] == [1, 0]
    assert most_first([]) == []
