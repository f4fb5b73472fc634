"""A photo cut into quarters keeps every cell that is seen, at its place."""

import numpy as np
from PIL import Image

from cellcount.labels import voc
from cellcount.labels.parts import cut_in_quarters


def test_quarters_keep_pixels_and_cells(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (101, 200, 3), dtype=np.uint8)
    photo = tmp_path / "a.png"
    Image.fromarray(pixels).save(photo)
    boxes = (
        voc.Box("one", 10, 10, 30, 30),  # in the first
        voc.Box("two", 90, 60, 110, 80),  # half in the third, half in the fourth
        voc.Box("three", 97, 10, 117, 20),  # 15 % in the first, 85 % in the second
    )
    voc.write(photo.with_suffix(".xml"), voc.Annotation(photo.name, 200, 101, boxes))
    quarters = cut_in_quarters(photo, tmp_path / "parts")
    found = [voc.read(one.with_suffix(".xml")) for one in quarters]
    assert [(one.width, one.height) for one in found] == [(100, 50)] * 4
    assert [one.boxes for one in found] == [
        (voc.Box("one", 10, 10, 30, 30),),
        (voc.Box("three", 0, 10, 17, 20),),
        (voc.Box("two", 90, 10, 100, 30),),
        (voc.Box("two", 0, 10, 10, 30),),
    ]
    assert (np.asarray(Image.open(quarters[3])) == pixels[50:100, 100:]).all()
