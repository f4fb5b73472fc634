"""Photos that stand out from their series."""

import numpy as np
import pytest

from cellcount.calibration.series import FEWEST, charts, standing_out


def _series(photos, seed=0):
    chance = np.random.default_rng(seed)
    return [
        {"brightness": -1 + 0.05 * chance.normal(), "red": 0.1 + 0.01 * chance.normal(), "crowd": 5}
        for _ in range(photos)
    ]


def test_one_dim_photo_and_a_lamp_that_dims_are_told():
    photos = _series(24)
    photos[7]["brightness"] -= 1
    for late in photos[20:]:
        late["red"] += 0.2
    told = standing_out(charts(photos))
    assert told.pop(7) == ["it is darker"]
    assert told == {number: ["its colour is another"] for number in range(20, 24)}


@pytest.mark.parametrize("spread", [0, 1e-4])
def test_photos_that_hardly_differ_are_all_alike(spread):
    chance = np.random.default_rng(1)
    photos = [{"brightness": -1 + spread * chance.normal(), "crowd": n % 7} for n in range(30)]
    photos[3]["brightness"] += 0.02
    assert standing_out(charts(photos)) == {}


def test_false_alarms_are_as_rare_as_the_limits_promise():
    told = sum(len(standing_out(charts(_series(40, seed)))) for seed in range(50))
    assert told < 0.04 * 40 * 50  # 0.3 % of each figure, if its spread were known


def test_few_photos_and_figures_that_are_not_told_make_no_chart():
    assert charts(_series(FEWEST - 1)) == {}
    unknown = [{"size": np.nan} | one for one in _series(FEWEST)]
    unknown[2]["brightness"] = np.nan
    assert charts(unknown).keys() == {"red"}
    assert charts([{}] * 20) == {}
