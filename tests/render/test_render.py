import csv
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.render import render_folder, render_photo
from cellcount.render.cells import Needle, visible_box
from cellcount.render.culture import draw_culture, place_cells, place_cut_cells
from cellcount.render.field import Field, Pointer, draw_field

DATA = Path(__file__).parents[2] / "data"
PLAIN = {"debris": False, "grid": False, "defocus": 0.0, "phone": False}


def test_same_seed_gives_the_same_pixels_and_another_seed_others():
    first, again, other = (render_photo(seed, cells=8, size=192) for seed in (5, 5, 6))

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert (first.image != other.image).mean() > 0.5


@pytest.mark.parametrize("cells", [0, 1, 20, 77, 140, 300])
def test_every_cell_asked_for_has_a_box_in_the_frame(cells):
    photo = render_photo(cells, cells=cells, size=160)

    assert photo.image.shape == (160, 160, 3)
    assert photo.image.dtype == np.uint8
    assert photo.boxes.shape == (cells, 4)
    assert (photo.boxes >= 0).all()
    assert (photo.boxes <= 160).all()
    assert (photo.boxes[:, 2:] - photo.boxes[:, :2] >= 1).all()


def test_the_number_of_cells_is_drawn_from_20_to_140_if_not_asked_for():
    counts = [len(render_photo(seed, size=64, debris=False).boxes) for seed in range(10)]

    assert min(counts) >= 20
    assert max(counts) <= 140
    assert max(counts) - min(counts) > 60


def changed_extent(with_it, without):
    """Pixels in which two photos differ, as (xmin, ymin, xmax, ymax), right and bottom excluded.

    Green only: it is the colour that the lenses do not shift.
    """
    difference = with_it[..., 1].astype(int) - without[..., 1]
    rows, columns = np.nonzero(abs(difference) >= 3)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def last_cell(seed, size=512):
    """Box and changed pixels of the last of six cells, and whether the rim or frame cuts it."""
    six, five = (render_photo(seed, cells=n, size=size, **PLAIN) for n in (6, 5))
    np.testing.assert_array_equal(six.boxes[:5], five.boxes)
    box = six.boxes[5]
    x0, y0, x1, y1 = np.clip(box + np.array([-3, -3, 3, 3]), 0, size)
    dark = (five.image[..., 1] < 60).astype(np.uint8)
    around = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((21, 21)))  # the pointer is too thin
    cut = around[y0:y1, x0:x1].any() or x0 == 0 or y0 == 0 or size in (x1, y1)
    return box, changed_extent(six.image, five.image), cut


@pytest.mark.parametrize("seed", range(12))
def test_a_box_is_the_extent_of_the_pixels_that_its_cell_changes(seed):
    box, changed, _ = last_cell(seed)

    np.testing.assert_allclose(box, changed, atol=2)


def test_a_cell_cut_by_the_rim_is_boxed_to_its_visible_part():
    cut_cells = [found for found in map(last_cell, range(100, 114)) if found[2]]

    assert len(cut_cells) >= 2
    for box, changed, _ in cut_cells:
        np.testing.assert_allclose(box, changed, atol=2.5)


def needle_across(x, y):
    """A straight cell that lies along x, 0.1 long and 0.012 wide."""
    return Needle(
        *(x, y, 0.0, 0.1, 0.012),
        bend=0.0,
        sway=0.0,
        cigar=2.0,
        blunt=1.0,
        z=0.0,
        pigment=(0.3, 0.3, 0.3),
        phase=0.0,
        skin=0.1,
        texture=1,
    )


def test_only_what_is_seen_of_a_cell_is_boxed():
    pointer = Pointer(0.5, 0.7, np.pi / 2, taper=0.01, width=0.04, widening=0.0, bend=0.0)
    field = Field(0.5, 0.5, 0.4, pointer, None)

    def box(x, y):
        return visible_box(needle_across(x, y), field)

    np.testing.assert_allclose(box(0.5, 0.4)[0], (0.45, 0.394, 0.55, 0.406), atol=1e-3)
    assert box(0.5, 0.4)[1] == 1
    # The rim crosses the middle of the cell, the pointer covers 0.48 to 0.52, the frame is near 0.
    np.testing.assert_allclose(box(0.9, 0.5)[0], (0.85, 0.494, 0.9, 0.506), atol=1e-3)
    assert box(0.9, 0.5)[1] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(box(0.52, 0.8)[0][::2], (0.47, 0.57), atol=1e-3)
    np.testing.assert_allclose(box(0.53, 0.8)[0][::2], (0.52, 0.58), atol=1e-3)
    assert box(0.97, 0.5) == (None, 0.0)
    wide = Field(0.5, 0.5, 0.9, None, None)
    cut = visible_box(needle_across(0.02, 0.5), wide)[0]
    np.testing.assert_allclose(cut[::2], (0.0, 0.07), atol=1e-3)


def test_debris_alone_has_no_boxes_and_leaves_those_of_cells_alone():
    dirty, clean = (render_photo(3, cells=0, size=256, debris=d) for d in (True, False))

    assert len(dirty.boxes) == 0
    assert (abs(dirty.image.astype(int) - clean.image) > 12).sum() > 50
    np.testing.assert_array_equal(
        render_photo(3, cells=30, size=256).boxes,
        render_photo(3, cells=30, size=256, **PLAIN).boxes,
    )


def test_what_is_mostly_hidden_is_drawn_without_a_box():
    rng = np.random.default_rng(5)
    field, culture = draw_field(rng), draw_culture(rng)
    cut = place_cut_cells(rng, field, culture, 400)
    shares = [visible_box(needle, field)[1] for needle in cut]

    assert len(cut) > 10
    assert all(0 < share < 0.5 for share in shares)
    labelled, _ = place_cells(rng, field, culture, 60)
    assert all(visible_box(needle, field)[1] >= 0.5 for needle in labelled)


def test_a_larger_photo_shows_the_same_scene():
    small, large = (render_photo(4, cells=25, size=size) for size in (256, 512))

    np.testing.assert_allclose(small.boxes * 2, large.boxes, atol=2)
    shrunk = np.asarray(Image.fromarray(large.image).reduce(2)).astype(int)
    assert abs(shrunk - small.image).mean() < 8


@pytest.mark.parametrize(("cells", "size"), [(-1, 256), (401, 256), (20, 63)])
def test_what_cannot_be_rendered_is_said(cells, size):
    with pytest.raises(CellCountError, match="Cannot render"):
        render_photo(1, cells=cells, size=size)


def test_a_folder_holds_photos_and_matching_labels(tmp_path):
    paths = render_folder(tmp_path / "a", photos=3, seed=9, size=128, cells=(5, 9), progress=False)

    assert [path.name for path in paths] == [f"rendered-0009-{i:02d}.jpg" for i in range(3)]
    assert len(list((tmp_path / "a").iterdir())) == 6
    for i, path in enumerate(paths):
        label = voc.read(path.with_suffix(".xml"))
        assert (label.filename, label.width, label.height) == (path.name, 128, 128)
        assert 5 <= len(label.boxes) <= 9
        assert {box.label for box in label.boxes} == {"Microalgae"}
        again = render_photo((9, i), cells=len(label.boxes), size=128)
        corners = [(box.xmin, box.ymin, box.xmax, box.ymax) for box in label.boxes]
        np.testing.assert_array_equal(corners, again.boxes)


def test_a_longer_folder_begins_like_a_shorter_one(tmp_path):
    short, long = (
        render_folder(tmp_path / str(n), photos=n, seed=2, size=96, cells=(1, 9), progress=False)
        for n in (1, 3)
    )

    assert short[0].read_bytes() == long[0].read_bytes()


def test_counts_of_a_folder_are_spread_evenly(tmp_path):
    render_folder(tmp_path, photos=12, seed=3, size=64, cells=(0, 11), labels=False, progress=False)

    counts = sorted(count for _, count in read_counts(tmp_path))
    assert all(abs(count - i) <= 1 for i, count in enumerate(counts))


def test_files_that_are_there_are_kept_unless_asked(tmp_path):
    arguments = {"photos": 1, "seed": 1, "size": 64, "cells": (1, 2), "progress": False}
    [path] = render_folder(tmp_path, **arguments)
    path.write_bytes(b"mine")

    with pytest.raises(CellCountError, match="already"):
        render_folder(tmp_path, **arguments)
    assert path.read_bytes() == b"mine"

    render_folder(tmp_path, overwrite=True, **arguments)
    assert Image.open(path).size == (64, 64)


@pytest.mark.parametrize(
    "wrong", [{"photos": 0}, {"seed": -1}, {"cells": (9, 3)}, {"quality": 0}, {"cells": (-4, 3)}]
)
def test_unusable_numbers_are_said_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(CellCountError, match="Cannot render"):
        render_folder(tmp_path / "new", **{"photos": 1, "seed": 1, "progress": False, **wrong})
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(CellCountError, match="cannot be written"):
        render_folder(tmp_path / "file", photos=1, seed=1, progress=False)


def read_counts(folder):
    with (folder / "true_counts.csv").open() as file:
        return [(row["photo"], int(row["count"])) for row in csv.DictReader(file)]


def test_the_bundled_photos_are_whole_and_small():
    rendered = sorted((DATA / "rendered").glob("*.jpg"))
    counts = [len(voc.read(path.with_suffix(".xml")).boxes) for path in rendered]
    assert len(rendered) == 6
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 4e6
    assert all(20 <= count <= 140 for count in counts)
    assert max(counts) > 100 and min(counts) < 50
    for path in rendered:
        with Image.open(path) as photo:
            assert photo.size == (1024, 1024)
        label = voc.read(path.with_suffix(".xml"))
        assert (label.filename, label.width, label.height) == (path.name, 1024, 1024)


@pytest.mark.parametrize("name", ["rendered-0001-01.jpg", "rendered-0001-03.jpg"])
def test_the_bundled_photos_come_from_their_seeds(name):
    """The true count of a photo is the one with which its pixels come out the same."""
    path = DATA / "rendered" / name
    seed, i = (int(part) for part in path.stem.split("-")[1:])
    label = voc.read(path.with_suffix(".xml"))
    corners = np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in label.boxes])
    photo = render_photo((seed, i), cells=len(corners))
    np.testing.assert_array_equal(photo.boxes, corners)

    stored = np.asarray(Image.open(io.BytesIO(path.read_bytes()))).astype(int)
    difference = abs(stored - photo.image).max(axis=2)
    blocks = difference.reshape(128, 8, 128, 8).mean(axis=(1, 3))
    assert difference.mean() < 4
    assert blocks.max() < 25
