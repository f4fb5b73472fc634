"""Each pixel is in one core, and each cell counted once: on drawn photos, and on a mosaic."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cellcount.commands import main
from cellcount.commands.counting import SOME_FAILED
from cellcount.counting.counter import Counter
from cellcount.counting.detections import Detections
from cellcount.counting.engines.tiled import TiledEngine
from cellcount.counting.table import read_counts
from cellcount.detector.head_start import SHIPPED
from cellcount.errors import CellCountError
from cellcount.labels.boxes import box_iou
from cellcount.photos.tiles import cut
from cellcount.render import render_photo

SIZES = [(1, 1), (64, 64), (65, 64), (63, 200), (113, 1), (250, 199), (333, 512), (101, 1009)]


@pytest.mark.parametrize("side", [64, 65, 68, 97, 300])
@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_is_in_one_core(size, side):
    width, height = size
    times = np.zeros((height, width), int)
    tiles = cut(width, height, side)
    for seen, core in tiles:
        assert (seen[2] - seen[0], seen[3] - seen[1]) == (min(side, width), min(side, height))
        times[core[1] : core[3], core[0] : core[2]] += 1
        # What a core borders on within the photo is seen for another eighth of a tile.
        for axis, length in enumerate(size):
            assert seen[axis] == 0 or core[axis] - seen[axis] >= side / 8
            assert seen[axis + 2] == length or seen[axis + 2] - core[axis + 2] >= side / 8
    assert (times == 1).all()
    if max(size) <= side:
        assert tiles == [((0, 0, width, height), (0, 0, width, height))]


def test_each_box_is_of_one_tile():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [301, 217], (5000, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 40, (5000, 2))], 1)
    boxes = np.minimum(boxes, [300, 216] * 2)  # those on the last edges have no width any more
    owners = sum(tile.counts(boxes).astype(int) for tile in cut(300, 216, 80))
    assert (owners == 1).all()


class Islands:
    """An engine that finds each bright island, all of it or what a tile has cut off."""

    name, classes, meta = "islands", ["cell"], {}

    def __init__(self, img_size=96):
        self.img_size = img_size
        self.most = 0

    def prepare(self, photo):
        return photo

    def find(self, prepared, threshold):
        self.most = max(self.most, prepared.size)
        islands, _ = ndimage.label(prepared[..., 0])
        spans = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(islands)]
        boxes = np.array(spans, float).reshape(-1, 4)
        brightness = [prepared[y, x, 0].max() / 255 for y, x in ndimage.find_objects(islands)]
        scores = np.array(brightness, float)
        kept = scores > threshold
        return Detections(boxes[kept], scores[kept], np.ones(kept.sum(), np.int64))


@pytest.mark.parametrize(
    ("width", "height", "side"), [(500, 403, 96), (97, 640, 96), (331, 331, 130), (90, 40, 96)]
)
def test_cells_up_to_a_quarter_of_a_tile_are_found_whole_and_once(width, height, side):
    rng = np.random.default_rng(width)
    photo = np.zeros((height, width, 3), np.uint8)
    expected = []
    for _ in range(2000):
        w, h = rng.integers(1, side // 4 + 1, 2)
        x, y = rng.integers(0, [width - w + 1, height - h + 1])
        if not photo[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1].any():
            grey = int(rng.integers(1, 256))
            photo[y : y + h, x : x + w] = grey
            expected.append((x, y, x + w, y + h, grey / 255))
    engine = Islands()
    found = TiledEngine(engine, side).find(photo, 0.3)
    rows = np.column_stack([found.boxes, found.scores])
    assert sorted(map(tuple, rows)) == sorted(one for one in expected if one[4] > 0.3)
    assert len(rows) > 5 and (np.diff(found.scores) <= 0).all()
    assert engine.most <= side * side * 3


class Padded(Islands):
    """Shows how large what it is shown is, and finds something in the padding too."""

    def find(self, prepared, threshold):
        self.shown = prepared.shape[:2]
        boxes = np.array([[40, 10, 55, 20], [60, 10, 70, 20]], float)
        return Detections(boxes, np.array([0.9, 0.8]), np.ones(2, np.int64))


def test_photo_smaller_than_a_tile_is_not_enlarged_where_cells_are_to_be_alike():
    engine = Padded()
    alike = TiledEngine(engine, 96, alike=True)
    found = alike.find(np.zeros((30, 50, 3), np.uint8), 0.3)
    assert engine.shown == (30, 96)
    assert found.boxes.tolist() == [[40, 10, 50, 20]]
    alike.find(np.zeros((30, 96, 3), np.uint8), 0.3)
    assert engine.shown == (30, 96)


def test_nothing_is_found_on_a_photo_without_cells():
    found = TiledEngine(Islands(), 64).find(np.zeros((200, 300, 3), np.uint8), 0.05)
    assert [part.shape for part in found] == [(0, 4), (0,), (0,)]


@pytest.mark.parametrize("side", [63, 0, -1024])
def test_too_small_tiles_are_refused(side):
    with pytest.raises(CellCountError, match=rf"Tiles of {side} pixels.* at least 64"):
        TiledEngine(Islands(), side)


def test_a_table_outlives_tiles_that_are_too_small(tmp_path, capsys):
    table = tmp_path / "counts.csv"
    table.write_text("photo,count\nyesterday.jpg,80\n")
    photo = tmp_path / "photo.png"
    Image.new("RGB", (70, 70)).save(photo)
    counting = ["count", str(SHIPPED), str(photo), "--out", str(table)]
    assert main.main([*counting, "--tile", "0"]) == 1
    assert capsys.readouterr().err.startswith("Tiles of 0 pixels are too small")
    assert read_counts(table) == {"yesterday.jpg": 80}


def test_detectors_that_stretch_photos_take_no_tiles():
    with pytest.raises(CellCountError, match="640 x 480"):
        TiledEngine(Islands((640, 480)), 512)
    assert TiledEngine(Islands((640, 640)), 512).img_size == (640, 640)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    """Four rendered photos, and the large one that they make up side by side."""
    folder = tmp_path_factory.mktemp("mosaic")
    parts = [render_photo(seed, cells=60).image for seed in (7001, 7002, 7003, 7004)]
    whole = np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
    for name, pixels in zip(["0", "1", "2", "3", "whole"], [*parts, whole], strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_a_mosaic_is_counted_as_its_photos_are(mosaic, tmp_path, capsys):
    counter = Counter(SHIPPED)
    tiled = counter.find(mosaic / "whole.png", tile=1024)
    corners = [(0, 0), (1024, 0), (0, 1024), (1024, 1024)]
    alone = [counter.find(mosaic / f"{number}.png") for number in range(4)]
    for found, corner in zip(alone, corners, strict=True):
        # Tiles begin at 0, 512 and 1024: those in the corners show a photo, no more and no less,
        # and count what lies in the three quarters of it that are away from the other photos.
        first = np.where(np.array(corner) == 0, 0, 256)
        inner = inside(found.boxes, [*first, *(first + 768)])
        there = inside(tiled.boxes, [*(first + corner), *(first + corner + 768)])
        assert inner.sum() > 30
        np.testing.assert_array_equal(tiled.boxes[there], found.boxes[inner] + [*corner, *corner])
        np.testing.assert_array_equal(tiled.scores[there], found.scores[inner])
    # Elsewhere a tile shows halves of photos, and the detector another picture of the same cells.
    sure = [
        found.boxes[found.scores > 0.5] + [*corner, *corner]
        for found, corner in zip(alone, corners, strict=True)
    ]
    boxes = tiled.boxes[tiled.scores > 0.3]
    assert (box_iou(np.concatenate(sure), boxes).max(1) > 0.5).mean() > 0.95

    each = [counter.calibration.count(found.scores).n for found in alone]
    count = counter.calibration.count(tiled.scores)
    assert count.n == pytest.approx(sum(each), rel=0.1)
    assert count.low <= sum(each) <= count.high

    table = tmp_path / "counts.csv"
    (mosaic / "broken.png").write_bytes((mosaic / "0.png").read_bytes()[:2000])
    photos = [mosaic / name for name in ("whole.png", "broken.png", "0.png")]
    counting = ["count", str(SHIPPED), *map(str, photos)]
    assert main.main([*counting, "--out", str(table), "--tile", "1024"]) == SOME_FAILED
    assert read_counts(table) == {"whole.png": count.n, "0.png": each[0]}
    said = capsys.readouterr()
    assert f"{count.n:6}  {count.low:4} to {count.high:4}" in said.out
    assert "broken.png" in said.out + said.err


def test_a_tile_larger_than_the_photo_changes_nothing(mosaic):
    counter = Counter(SHIPPED)
    for expected, found in zip(
        counter.find(mosaic / "0.png"), counter.find(mosaic / "0.png", tile=1500), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def inside(boxes, area):
    """Whether the centres of boxes lie in an area, both (xmin, ymin, xmax, ymax)."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centre >= area[:2]) & (centre < area[2:])).all(1)
