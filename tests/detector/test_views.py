"""Photos as a detector is shown them: tiles of the larger ones, whose boxes come back together."""

import numpy as np
import pytest
from PIL import Image

from cellcount.calibration.matching import Prediction
from cellcount.detector.recipe import Recipe
from cellcount.detector.views import records_of, views
from cellcount.labels import voc
from cellcount.photos.tiles import cut

CELLS = np.array([(10, 20, 30, 40), (90, 30, 110, 50), (150, 60, 170, 80), (270, 5, 290, 25)])


@pytest.fixture
def wide(tmp_path):
    """A photo of 300 x 100 pixels with four cells of two kinds."""
    photo = tmp_path / "wide.png"
    Image.fromarray(np.full((100, 300, 3), 200, np.uint8)).save(photo)
    boxes = tuple(voc.Box("ab"[i % 2], *map(int, box)) for i, box in enumerate(CELLS))
    voc.write(photo.with_suffix(".xml"), voc.Annotation(photo.name, 300, 100, boxes))
    return photo


def test_each_cell_of_the_tiles_comes_back_once_and_in_its_place(icevision, wide, tmp_path):
    (shown,), class_map = views([wide], 100, tmp_path / "tiles")
    names = np.array(class_map.get_classes())
    found = []
    for record in records_of([shown]):  # what is labelled on a tile is found there
        boxes = np.array([box.xyxy for box in record.detection.bboxes], float).reshape(-1, 4)
        kinds = names[np.array(record.detection.label_ids, int)]
        found.append(Prediction("", boxes, np.full(len(boxes), 0.9), boxes, kinds, kinds))
    assert len(found) == len(cut(300, 100, 100)) > 3
    assert sum(len(one.boxes) for one in found) > len(CELLS)  # tiles share cells
    merged = shown.merged(found)
    order = np.argsort(merged.boxes[:, 0])
    assert np.array_equal(merged.boxes[order], CELLS)
    assert merged.box_classes[order].tolist() == ["a", "b", "a", "b"]
    assert np.array_equal(merged.labels, CELLS)


def test_a_photo_that_is_not_cut_stays_as_it_is(icevision, wide, tmp_path):
    (shown,), _ = views([wide], None, tmp_path / "tiles")
    one = Prediction("wide.png", CELLS, np.full(4, 0.9), CELLS)
    assert shown.merged([one]) is one
    assert not (tmp_path / "tiles").exists()


def test_notebook_is_given_the_tiles_or_the_folder_itself(wide, tmp_path):
    out = tmp_path / "out" / "tiles"
    assert Recipe(size=256, crop=256).cut(wide.parent, out) == wide.parent
    assert Recipe(size=256, crop=256, tile=100).cut(wide.parent, out) == out
    assert len(list(out.glob("wide-*.png"))) == len(cut(300, 100, 100))
    assert len(list(out.glob("wide-*.xml"))) == len(cut(300, 100, 100))
