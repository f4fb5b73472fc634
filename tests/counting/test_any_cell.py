"""A detector of any cell learns to count from looks that it, or one like it, has not seen."""

import shutil
from pathlib import Path

import numpy as np

from cellcount.calibration.matching import Prediction
from cellcount.counting import any_cell
from cellcount.counting.counter import Counter
from cellcount.detector import pretraining
from cellcount.detector.head_start import CELLS
from cellcount.render import render_folder


def test_each_look_is_counted_by_a_detector_that_has_not_seen_it(icevision, tmp_path, monkeypatch):
    looks = [tmp_path / name for name in "abcd"]
    for seed, look in enumerate(looks):
        render_folder(look, photos=2, seed=seed, size=256, cells=(4, 8))
    learned: list[list[str]] = []
    counted: list[tuple[set[str], list[str]]] = []

    def pretrain(out, looks, **_):
        learned.append([look[0].parent.name for look in looks])
        shutil.copy(CELLS, out)

    def found_on(photos, find, classes, found_on=any_cell.found_on):
        counted.append(({photo.parent.name for photo in photos}, learned[-1]))
        return found_on(photos, find, classes)

    monkeypatch.setattr(any_cell, "pretrain", pretrain)
    monkeypatch.setattr(any_cell, "found_on", found_on)
    out = Path(tmp_path, "models", "new.pth")
    any_cell.make(out, looks, epochs=1, seed=0)

    assert learned[0] == ["a", "b", "c", "d"]  # what is kept has learned from all
    assert all(unseen.isdisjoint(seen) for unseen, seen in counted)
    assert all(len(seen) >= 2 for _, seen in counted)
    assert sorted(name for unseen, _ in counted for name in unseen) == ["a", "b", "c", "d"]
    calibration = Counter(out).calibration
    assert calibration is not None
    assert len(calibration.labelled) == len(looks)  # each is as one photo


def test_of_a_single_look_photos_set_aside_are_counted(icevision, tmp_path, monkeypatch):
    render_folder(tmp_path / "a", photos=12, seed=0, size=256, cells=(4, 8))
    monkeypatch.setattr(any_cell, "pretrain", lambda out, looks, **_: shutil.copy(CELLS, out))
    any_cell.make(tmp_path / "new.pth", [tmp_path / "a"], epochs=1, seed=0)
    calibration = Counter(tmp_path / "new.pth").calibration
    assert calibration is not None
    assert len(calibration.labelled) == 2  # of twelve


def test_looks_of_which_one_alone_can_be_learned_from_end_in_a_detector(
    icevision, tmp_path, monkeypatch
):
    for name, photos in (("a", 3), ("b", 1)):  # without a, nothing can be learned
        render_folder(tmp_path / name, photos=photos, seed=0, size=256, cells=(4, 8))
    learned: list[int] = []

    def pretrain(out, looks, **_):
        assert pretraining.can_train(looks)
        learned.append(len(looks))
        shutil.copy(CELLS, out)

    monkeypatch.setattr(any_cell, "pretrain", pretrain)
    any_cell.make(tmp_path / "new.pth", [tmp_path / "a", tmp_path / "b"], epochs=1, seed=0)
    assert learned == [2, 1]
    assert Counter(tmp_path / "new.pth").calibration is not None


def test_each_look_teaches_once_and_photos_not_found_nothing():
    def photo(found: int, labelled: int) -> Prediction:
        boxes = np.arange(12.0)[:, None] * 20 + [0, 0, 10, 10]
        scores = np.where(np.arange(12) < found, 0.9, 0.1)
        elsewhere = boxes + 1000
        boxes = np.where(np.arange(12)[:, None] < found, boxes, elsewhere)
        return Prediction("a.png", boxes, scores, boxes[:found][:labelled])

    lost = Prediction("b.png", np.array([[0, 0, 9, 9.0]]), np.array([0.9]), np.eye(4)[:1] * 99)
    looks = [[photo(4, 4), photo(6, 5), lost], [photo(9, 9)], [lost]]
    lessons = any_cell._lessons(looks)
    assert [one.labelled for one in lessons] == [9, 9]
    assert [one.matched.sum() for one in lessons] == [9, 9]
    assert len(lessons[0].misses) == 0  # the labels of two photos stay apart
    assert len(any_cell._lessons([[photo(4, 4), lost, photo(9, 9)]])) == 2  # a single look
    assert [one.labelled for one in any_cell._lessons([[lost], [lost]])] == [1, 1]
