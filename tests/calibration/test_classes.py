"""Counts of classes: they add up, and shares hold what they promise."""

import numpy as np
import pytest
from scipy.stats import binomtest

from cellcount.calibration.classes import apportion, learn_by_class, share, summed
from cellcount.calibration.intervals import Estimate
from cellcount.calibration.matching import Prediction


def exact(n):
    return Estimate(n, n, n)


@pytest.mark.parametrize(
    ("n", "parts", "whole"),
    [
        (25, [24.4, 0.6], [24, 1]),
        (10, [1, 1, 1], [4, 3, 3]),
        (0, [0.2, 0.1], [0, 0]),
        (3, [0, 0], [2, 1]),
        (7, [7], [7]),
    ],
)
def test_classes_add_up_to_the_total(n, parts, whole):
    assert apportion(n, parts) == whole


def test_sum_of_counts_is_as_unsure_as_normal_errors_are():
    """Against sums of drawn numbers: MOVER of symmetric intervals is the sum of variances."""
    rng = np.random.default_rng(0)
    some = [Estimate(100, 80, 120), Estimate(50, 41, 59), Estimate(10, 4, 16)]
    drawn = sum(rng.normal(one.n, (one.high - one.low) / 3.92, 200_000) for one in some)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert summed(some) == (160, pytest.approx(low, abs=1), pytest.approx(high, abs=1))
    assert summed([]) == (0, 0, 0)


def test_share_of_cells_counted_for_sure_is_wilsons():
    for mine, rest in ((8, 92), (0, 30), (30, 0), (3, 4)):
        found = share([exact(mine)], [exact(rest)])
        wilson = binomtest(mine, mine + rest).proportion_ci(method="wilson")
        assert found == pytest.approx((mine / (mine + rest), *wilson), abs=1e-3)
    assert str(share([exact(8)], [exact(92)])) == "8 % (4 to 15 %)"


def test_share_of_unsure_counts_is_less_sure():
    sure = share([exact(30)], [exact(70)])
    unsure = share([Estimate(30, 15, 45)], [Estimate(70, 60, 80)])
    assert unsure.value == sure.value
    assert unsure.high - unsure.low > 1.3 * (sure.high - sure.low)
    nothing = share([exact(0)], [exact(0)])
    assert np.isnan(nothing.value) and nothing[1:] == (0, 1)


def test_shares_hold_the_share_of_the_culture():
    """Photos of a culture of a known share, counted with errors that the intervals know."""
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(400):
        truth = rng.choice([0.02, 0.2, 0.5, 0.97])
        some, others = [], []
        for _ in range(5):
            cells = rng.integers(5, 40)
            living = rng.binomial(cells, truth)
            for true, counted in ((living, some), (cells - living, others)):
                sd = 0.1 * true + 0.3
                n = max(0, round(rng.normal(true, sd)))
                counted.append(Estimate(n, max(0, round(n - 2 * sd)), round(n + 2 * sd)))
        _, low, high = share(some, others)
        inside.append(low <= truth <= high)
    assert np.mean(inside) >= 0.93


def _photo(rng, cells, kinds):
    """Every cell has a sure box of its class, and there are doubtful boxes of the first one."""
    corner = rng.uniform(0, 900, (2 * cells, 2))
    boxes = np.hstack([corner, corner + 20])
    names = np.array(kinds)[rng.integers(len(kinds), size=cells)]
    scores = np.concatenate([rng.uniform(0.6, 0.9, cells), rng.uniform(0.05, 0.2, cells)])
    found = np.concatenate([names, np.full(cells, kinds[0])])
    return Prediction("a", boxes, scores, boxes[:cells], found, names)


def test_class_with_few_labels_has_no_calibration_of_its_own():
    rng = np.random.default_rng(2)
    photos = [_photo(rng, 20, ["rbc", "wbc"]) for _ in range(4)]
    learned = learn_by_class(photos)
    assert set(learned) == {"rbc", "wbc"}
    for name, one in learned.items():
        assert list(one.labelled) == [int(np.sum(photo.label_classes == name)) for photo in photos]
        own = photos[0].only(name).scores
        assert one.mean(own) == pytest.approx(one.labelled[0], abs=1.5)
    rare = [_photo(rng, 20, ["rbc"]) for _ in range(3)] + photos[:1]
    assert set(learn_by_class(rare)) == {"rbc"}
    assert learn_by_class([photo.classless for photo in photos]) == {}
