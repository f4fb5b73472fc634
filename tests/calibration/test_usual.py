"""Which photos are called unlike those learned from: as few as promised, and each odd one."""

from dataclasses import replace

import numpy as np
import pytest

from cellcount.calibration.usual import FALSE_ALARMS, OF_LIGHT, Usual, figures_of
from cellcount.errors import CellCountError
from cellcount.photos.levels import Levels
from cellcount.photos.look import look

MEANS = {
    "brightness": -0.5, "contrast": -2.0, "sharpness": -1.7, "pattern": -1.2, "colours": 0.1,
    "red": 0.1, "blue": 0.05, "size": -2.0, "crowd": 3.0, "doubt": 0.1,
}  # fmt: skip
SDS = {
    "brightness": 0.08, "contrast": 0.2, "sharpness": 0.2, "pattern": 0.1, "colours": 0.01,
    "red": 0.01, "blue": 0.01, "size": 0.15, "crowd": 0.4, "doubt": 0.03,
}  # fmt: skip


def a_photo(rng):
    return {name: rng.normal(mean, SDS[name]) for name, mean in MEANS.items()}


@pytest.mark.parametrize("photos", [1, 3, 12, 100])
def test_false_alarms_are_as_rare_as_stated(photos):
    rng = np.random.default_rng(photos)
    alarms = []
    for _ in range(60):
        usual = Usual.learn([a_photo(rng) for _ in range(photos)], 256)
        alarms += [bool(usual.unusual(a_photo(rng))) for _ in range(20)]
    assert np.mean(alarms) <= FALSE_ALARMS + 0.02


@pytest.mark.parametrize(
    ("name", "off", "says"),
    [
        ("brightness", -1, "darker"),
        ("brightness", 1, "brighter"),
        ("contrast", -1, "less contrast"),
        ("sharpness", -1, "blurred"),
        ("pattern", 1, "pattern"),
        ("colours", 1, "colour"),
        ("red", 1, "colour"),
        ("blue", -1, "colour"),
        ("size", -1, "smaller"),
        ("size", 1, "larger"),
        ("crowd", 1, "more crowded"),
        ("crowd", -1, "fewer cells"),
        ("doubt", 1, "half-sure"),
    ],
)
def test_each_reason_is_told_from_a_photo_that_is_nearly_so(name, off, says):
    """Eight standard deviations off in one figure, and one."""
    rng = np.random.default_rng(0)
    usual = Usual.learn([a_photo(rng) for _ in range(12)], 256)
    (reason,) = usual.unusual({**MEANS, name: MEANS[name] + 8 * off * SDS[name]})
    assert says in reason
    assert usual.unusual({**MEANS, name: MEANS[name] + off * SDS[name]}) == ()


def test_a_look_alone_finds_all_photos_of_odd_light():
    rng = np.random.default_rng(0)
    usual = Usual.learn([a_photo(rng) for _ in range(12)], 256)
    seen = 0
    for _ in range(300):
        one = a_photo(rng)
        one["brightness"] += rng.normal(0, 0.3)
        whole = not OF_LIGHT.isdisjoint(usual.unusual(one))
        seen += whole
        without_cells = {name: one[name] for name in one if name not in ("size", "crowd", "doubt")}
        assert usual.odd_light(without_cells) or not whole
    assert 50 < seen < 250


def test_what_a_photo_does_not_tell_is_no_reason():
    rng = np.random.default_rng(0)
    usual = Usual.learn([{**a_photo(rng), "doubt": np.nan} for _ in range(3)], 256)
    assert "doubt" not in usual.means
    one_of_twelve = [{**a_photo(rng), "size": np.nan} for _ in range(11)] + [a_photo(rng)]
    usual = Usual.learn(one_of_twelve, 256)
    assert (usual.photos["size"], usual.photos["red"]) == (1, 12)
    alone = Usual.learn(one_of_twelve[-1:], 256)
    for off in (0.4, 0.8, 1.2):  # a size that one photo tells is as sure as that
        odd = {"size": usual.means["size"] - off}
        assert bool(usual.unusual(odd)) == bool(alone.unusual(odd))
    usual = Usual.learn([{**a_photo(rng), "doubt": np.nan} for _ in range(3)], 256)
    assert usual.unusual({**MEANS, "size": np.nan, "doubt": 0.9}) == ()
    assert usual.misfit({}) == np.inf
    assert usual.misfit({"size": usual.means["size"] - 0.5}) == pytest.approx(0.5)


def test_it_survives_the_checkpoint():
    usual = Usual.learn([a_photo(np.random.default_rng(0))] * 2, 256)
    assert Usual.from_meta(usual.to_meta()) == usual
    known = replace(usual, um_per_px=0.32)
    assert Usual.from_meta(known.to_meta()) == known
    lit = replace(usual, levels=Levels(3.5, 200))
    assert Usual.from_meta(lit.to_meta()) == lit
    of_before = {name: value for name, value in usual.to_meta().items() if name != "levels"}
    assert Usual.from_meta(of_before).levels is None
    for damage in ({"view": "wide"}, {"levels": {"low": 3}}, {"levels": 3}):
        with pytest.raises(CellCountError, match="damaged"):
            Usual.from_meta({**usual.to_meta(), **damage})


def test_look_follows_the_photo():
    rng = np.random.default_rng(1)
    grey = np.kron(rng.integers(60, 200, (40, 40)), np.ones((8, 8)))  # squares of eight pixels
    photo = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    plain = look(photo)
    assert look(photo // 4)["brightness"] < plain["brightness"] - 1
    assert look(128 + photo // 8)["contrast"] < plain["contrast"] - 1
    blurred = np.repeat(np.kron(grey[::32, ::32], np.ones((32, 32)))[..., None], 3, axis=2)
    assert look(blurred.astype(np.uint8))["sharpness"] < plain["sharpness"] - 0.5
    pink = photo.copy()
    pink[..., 1] = pink[..., 1] // 2
    assert min(look(pink)[name] for name in ("red", "blue", "colours")) > 0.15
    assert plain["red"] == plain["blue"] == plain["colours"] == 0
    fine = np.kron(rng.integers(60, 200, (160, 160, 1)), np.ones((2, 2, 3))).astype(np.uint8)
    assert look(fine)["pattern"] < plain["pattern"] - 0.5
    twice = look(np.kron(photo, np.ones((2, 2, 1), np.uint8)))
    assert twice == pytest.approx(plain, abs=0.2)


def test_figures_of_boxes():
    boxes = np.array([[0, 0, 20, 20], [50, 50, 70, 70], [80, 0, 90, 10]], float)
    told = figures_of(boxes, np.array([0.9, 0.9, 0.3]), (200, 100), 200)
    assert told["size"] == pytest.approx(np.log(20 / 200))
    assert told["crowd"] == pytest.approx(np.log((2.1 + 0.5) * 2))
    assert told["doubt"] == pytest.approx((0.09 + 0.09 + 0.21) / 2.1)
    nothing = figures_of(boxes[:0], np.empty(0), (200, 100), 200)
    assert np.isnan([nothing["size"], nothing["doubt"]]).all()
