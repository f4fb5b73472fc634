"""A detector of any cell looks at a photo until its cells are as large as it wants them."""

import numpy as np
import pytest
from PIL import Image

from cellcount.counting.cell_size import at_cell_size
from cellcount.counting.counter import Counter
from cellcount.counting.detections import Detections
from cellcount.counting.looking import Looking
from cellcount.detector.head_start import SHIPPED
from cellcount.labels import voc
from cellcount.labels.boxes import box_iou
from cellcount.render import render_folder
from tests.conftest import ROOT


class Frame:
    """An engine that sees cells of a size in photos, whatever it is shown of them."""

    name, classes, img_size = "fake", ["cell"], 400

    def __init__(self, across):
        self.across = across

    def prepare(self, photo):
        return photo

    def find(self, prepared, threshold):
        boxes = np.array([[10.0, 10, 10 + self.across, 10 + self.across]] * 3)
        scores = np.array([0.9, 0.5, 0.1])[: 3 if self.across else 0]
        return Detections(boxes[: len(scores)], scores, np.zeros(len(scores), int))


@pytest.mark.parametrize(
    ("across", "side"),
    [
        (100, 800),  # 50 of 400 pixels, as wanted, are 100 of 800: as it is
        (90, 800),  # nearly so
        (62, 496),
        (10, 300),  # from no nearer than that
        (180, 1440),
        (400, 1600),  # from no farther
        (0, 800),  # nothing is found
    ],
)
def test_cells_come_to_the_size_that_is_wanted(across, side):
    fake = Frame(across)
    fake.meta = {}
    photo = np.zeros((600, 800, 3), np.uint8)
    seen = Looking(fake, None, cell_side=50).see(photo, None, None)
    way = at_cell_size(seen, 50, 0.05)
    assert (way.tile or 800) == pytest.approx(side, abs=1)
    # What does not depend on the look needs no third.
    assert way is seen.ways[0] or way is seen.at(way.tile)


def test_a_tiny_photo_is_cut_into_no_smaller_squares_than_can_be():
    fake = Frame(2)
    fake.meta = {}
    seen = Looking(fake, None, cell_side=50).see(np.zeros((90, 100, 3), np.uint8), None, None)
    assert at_cell_size(seen, 50, 0.05).tile == 64


def judged_and_counted(folder):
    """What the training's own look finds on each photo, what the counter does, and on what tile."""
    from cellcount.detector.head_start import CELLS, warm_start
    from cellcount.detector.predicting import predict_photos
    from cellcount.detector.recipe import Recipe
    from cellcount.detector.training import vfnet
    from cellcount.detector.views import views

    model = vfnet(2, pretrained=False)
    warm_start(model, CELLS)
    shown, class_map = views(sorted(folder.glob("*.png")), None, folder)
    counter = Counter(CELLS, engine="torch")
    for found in predict_photos(model, shown, class_map, Recipe.of_any_cell()):
        photo = folder / found.photo
        yield found, counter.find(photo), counter.count(photo).tile


def test_what_calibrates_is_found_as_it_is_counted(icevision, tmp_path):
    """Boxes of the training's own look, and of the counter's, on photos seen from nearer."""
    photos = sorted((ROOT / "data" / "labeled").glob("*.png"))[:2]
    for photo in photos:  # cells of half their size, so that it looks from nearer
        picture = Image.open(photo).convert("RGB")
        small = picture.resize((picture.width // 2, picture.height // 2))
        wide = Image.new("RGB", (2 * picture.width, 2 * picture.height))
        for left in range(0, wide.width, small.width):
            for top in range(0, wide.height, small.height):
                wide.paste(small, (left, top))
        wide.save(tmp_path / photo.name)
        box = voc.Box("cell", 1, 1, 30, 30)
        label = voc.Annotation(photo.name, *wide.size, (box,))
        voc.write((tmp_path / photo.name).with_suffix(".xml"), label)
    for found, counted, tile in judged_and_counted(tmp_path):
        assert tile < 512
        assert len(counted.boxes) > 50
        sure, mine = (one.scores >= 0.3 for one in (counted, found))
        assert sure.sum() == pytest.approx(mine.sum(), abs=1)
        assert np.sort(counted.scores[sure])[-30:] == pytest.approx(
            np.sort(found.scores[mine])[-30:], abs=0.03
        )


def test_what_calibrates_lies_where_it_is_counted_from_farther(icevision, tmp_path):
    """Large cells; of sizes that strides do not divide, boxes were shifted by up to half of one."""
    photo = ROOT / "data" / "labeled" / "smear-012.png"
    for number, side in enumerate((160, 200, 256)):
        picture = Image.open(photo).convert("RGB").crop((0, 0, side, side)).resize((320, 320))
        picture.save(tmp_path / f"{number}.png")
        box = voc.Box("cell", 1, 1, 30, 30)
        voc.write(tmp_path / f"{number}.xml", voc.Annotation(f"{number}.png", 320, 320, (box,)))
    for found, counted, tile in judged_and_counted(tmp_path):
        assert tile > 320
        sure, mine = (one.boxes[one.scores >= 0.5] for one in (counted, found))
        assert len(sure) >= 3
        assert np.median(box_iou(sure, mine).max(axis=1)) > 0.85


def test_small_cells_are_found_by_a_detector_of_any_cell(icevision, tmp_path):
    """The needles' head start sees needles drawn small only if it may look from nearer."""
    import torch

    render_folder(tmp_path, photos=1, seed=5, size=900, cells=(20, 20))
    photo = min(tmp_path.glob("*.jpg"))
    stored = torch.load(SHIPPED, weights_only=True)
    stored["meta"]["img_size"] = 256
    whole = tmp_path / "whole.pth"
    torch.save(stored, whole)
    stored["meta"]["cell_side"] = 40
    nearer = tmp_path / "nearer.pth"
    torch.save(stored, nearer)
    far = Counter(whole, threshold=0.3, engine="torch").count(photo)
    near = Counter(nearer, threshold=0.3, engine="torch").count(photo)
    assert far.tile is None and near.tile is not None and near.tile < 900
    assert abs(near.n - 20) < abs(far.n - 20)
    assert Counter(nearer, threshold=0.3, engine="torch").count(photo, tile=900).tile == 900
