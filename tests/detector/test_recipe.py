"""The recipe is read off the labels: sizes from cells and photos, turning from their shape."""

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.detector.recipe import Recipe, rare_classes
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos


def _photo(folder, name, side, cells):
    """A photo of so many pixels a side whose cells are (label, width, height)."""
    file = folder / f"{name}.png"
    Image.fromarray(np.full((side, side, 3), 200, np.uint8)).save(file)
    gap = (side - max((max(cell[1:]) for cell in cells), default=0)) // 6
    boxes = tuple(
        voc.Box(label, 2 + i % 5 * gap, 2 + i // 5 * gap, 2 + i % 5 * gap + w, 2 + i // 5 * gap + h)
        for i, (label, w, h) in enumerate(cells)
    )
    voc.write(file.with_suffix(".xml"), voc.Annotation(file.name, side, side, boxes))
    return file


@pytest.mark.parametrize(
    ("photo", "cell", "size"),
    [
        (1000, 50, 416),  # 20 pixels of 50: 400 of 1000
        (200, 20, 256),  # never below 256
        (250, 15, 352),  # small photos of small cells are enlarged
        (3000, 30, 640),  # never above 640
    ],
)
def test_size_gives_small_cells_their_pixels(tmp_path, photo, cell, size):
    _photo(tmp_path, "a", photo, [("cell", cell, cell)] * 5)
    assert Recipe.of(labelled_photos(tmp_path)).size == size


def test_a_class_of_small_cells_decides(tmp_path):
    cells = [("red", 100, 100)] * 20 + [("platelet", 40, 40)] * 2
    _photo(tmp_path, "a", 640, cells)
    assert Recipe.of(labelled_photos(tmp_path)).size == 352


def test_round_cells_are_turned_by_any_angle_and_long_ones_are_not(tmp_path):
    (tmp_path / "round").mkdir()
    (tmp_path / "long").mkdir()
    _photo(tmp_path / "round", "a", 300, [("cell", 40, 44), ("cell", 44, 40)])
    _photo(tmp_path / "long", "a", 300, [("cell", 20, 80), ("cell", 80, 20), ("cell", 50, 50)])
    assert Recipe.of(labelled_photos(tmp_path / "round")).angle == 180
    assert Recipe.of(labelled_photos(tmp_path / "long")).angle == 0


def test_what_is_set_by_hand_stays(tmp_path):
    _photo(tmp_path, "a", 300, [("cell", 40, 44)])
    recipe = Recipe.of(labelled_photos(tmp_path), size=640, steps=7, angle=0)
    assert (recipe.size, recipe.crop, recipe.steps, recipe.angle) == (640, 640, 7, 0)
    assert "640 pixels, 7 steps" in str(recipe)


def test_pieces_hold_a_few_round_cells(tmp_path):
    (tmp_path / "many").mkdir()
    (tmp_path / "few").mkdir()
    _photo(tmp_path / "many", "a", 600, [("cell", 20, 20)] * 20)
    _photo(tmp_path / "few", "a", 600, [("cell", 20, 20)] * 5)
    many, few = (
        Recipe.of(labelled_photos(tmp_path / "many")),
        Recipe.of(labelled_photos(tmp_path / "few")),
    )
    assert (many.size, many.crop) == (608, 320)
    assert (few.size, few.crop) == (608, 480)  # where three of its five cells are seen
    (tmp_path / "long").mkdir()
    _photo(tmp_path / "long", "a", 600, [("cell", 20, 60)] * 20)
    assert (
        Recipe.of(labelled_photos(tmp_path / "long")).crop
        == Recipe.of(labelled_photos(tmp_path / "long")).size
        == 608
    )


def test_epochs_make_up_the_steps():
    recipe = Recipe(256, 256, steps=800)
    for photos in (1, 3, 12, 40, 300):
        shown = photos * recipe.times(photos)
        assert 50 <= shown < 50 + photos or photos > 50
        assert abs(recipe.epochs(photos) * shown - 800) <= shown / 2
        assert recipe.total(photos) == (recipe.epochs(photos) + 1) * shown


def test_a_single_photo_cannot_be_parted_and_it_is_told_what_to_do():
    with pytest.raises(CellCountError, match="label another, or train on the one"):
        Recipe(256, 256).times(0)


def test_photos_without_a_box_are_told_before_the_training(tmp_path, capsys):
    for name in "abcd":
        _photo(tmp_path, name, 100, [])
    with pytest.raises(CellCountError, match="No photo has a labelled cell"):
        Recipe.of(labelled_photos(tmp_path))
    assert main.main(["train", str(tmp_path), "--out", str(tmp_path / "m.pth")]) == 1
    assert "label some" in capsys.readouterr().err
    assert not (tmp_path / "m.pth").exists()


def test_a_class_on_one_photo_is_named(tmp_path):
    photos = [
        _photo(tmp_path, "a", 100, [("red", 20, 20), ("white", 30, 30), ("white", 31, 30)]),
        _photo(tmp_path, "b", 100, [("red", 20, 20)]),
    ]
    (told,) = rare_classes(photos)
    assert told.startswith("white is labelled on one photo only")
    assert rare_classes(photos[:1]) == []


def test_photos_of_several_sizes_are_cut_where_their_cells_are_of_one(tmp_path):
    (tmp_path / "scan").mkdir()
    (tmp_path / "zoom").mkdir()
    for number, side in enumerate((200, 200, 800)):
        _photo(tmp_path / "scan", str(number), side, [("cell", 20, 20)] * 10)
        _photo(tmp_path / "zoom", str(number), side, [("cell", side // 10, side // 10)] * 10)
    scan = Recipe.of(labelled_photos(tmp_path / "scan"))
    assert (scan.tile, scan.size) == (200, 256)
    assert "tiles of 200" in str(scan)
    assert Recipe.of(labelled_photos(tmp_path / "zoom")).tile is None
