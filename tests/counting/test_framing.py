"""The detector's view of a photo against IceVision's own transforms."""

import numpy as np
import pytest

from cellcount.counting.framing import frame


@pytest.mark.parametrize("size", [96, 97, (120, 80)])
@pytest.mark.parametrize("shape", [(300, 201), (55, 300), (96, 96), (40, 33), (1, 90)])
def test_pixels_are_those_of_icevision(icevision, shape, size):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = photo
    for step in icevision.tfms.A.resize_and_pad(size):
        expected = step(image=expected)["image"]
    np.testing.assert_array_equal(frame(photo, size).pixels, expected)


def test_boxes_return_to_where_they_were_on_the_photo():
    photo = np.full((300, 200, 3), 90, np.uint8)
    photo[30:90, 50:150] = 250
    framed = frame(photo, 150)
    rows, columns = np.nonzero(framed.pixels[..., 0] > 240)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    assert framed.to_photo(seen) == pytest.approx(np.array([[50, 30, 150, 90]]))
    # Nothing lies beyond the photo, whatever the detector says.
    assert framed.to_photo(np.array([[-9.0, -9, 400, 400]])).tolist() == [[0, 0, 200, 300]]
