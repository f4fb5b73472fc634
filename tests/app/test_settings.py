"""What a visitor asks is taken as the command line takes it, or refused in a sentence."""

import pytest

from cellcount.app.settings import Settings
from cellcount.counting.study import Sampled
from cellcount.errors import CellCountError
from cellcount.photos.view import View


def test_chamber_volume_and_dilution():
    asked = {"chamber": "fuchs-rosenthal", "squares": 4, "dilution": 2, "pipetting_cv": 5}
    # A square of 1 mm a side, 0.2 mm deep, is 0.2 microlitres.
    assert Settings.read(asked, []).sampled == pytest.approx(Sampled(0.8, 2, 0.05))
    assert Settings.read({"volume_ul": 0.3, "dilution": None}, []).sampled == Sampled(0.3)
    assert Settings.read({}, []) == Settings()


def test_channel_is_one_that_a_photo_has():
    settings = Settings.read({"channel": "DAPI"}, ["GFP", "DAPI"])
    assert settings.view(View("GFP", "max")) == View("DAPI", "max")
    assert Settings().view(View("GFP", "max")) == View("GFP", "max")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"threshold": 50}, "from 0.05 to 1"),
        ({"threshold": float("nan")}, "from 0.05 to 1"),
        ({"threshold": "0.5"}, "must be a number"),
        ({"threshold": True}, "must be a number"),
        ({"channel": "DAPI"}, "another one"),
        ({"channel": ["DAPI"]}, "another one"),
        ({"chamber": "teacup", "squares": 1}, "neubauer-improved"),
        ({"chamber": {}}, "neubauer-improved"),
        ({"chamber": "thoma", "squares": 0}, "over 0"),
        ({"volume_ul": float("inf")}, "over 0"),
        ({"volume_ul": 1, "dilution": 0.5}, "1 or more"),
        ({"volume_ul": 1, "pipetting_cv": 100}, "below 100 %"),
    ],
)
def test_what_means_nothing_is_refused(asked, says):
    with pytest.raises(CellCountError, match=says):
        Settings.read(asked, ["GFP"])
