"""What a model's boxes leave to do, counted on boxes whose corrections are known."""

import numpy as np
import pytest

from cellcount.calibration.matching import Prediction
from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.labelling.annotation_effort import AnnotationEffort as Effort
from cellcount.labelling.annotation_effort import effort, measure
from cellcount.render import render_folder


def _photo(boxes, labels, **kinds):
    boxes, labels = (np.array(b, dtype=float).reshape(-1, 4) for b in (boxes, labels))
    return Prediction("a.jpg", boxes, np.linspace(0.9, 0.5, len(boxes)), labels, **kinds)


def test_each_correction_is_counted_once():
    labels = [(0, 0, 100, 100), (200, 0, 300, 100), (400, 0, 500, 100), (600, 0, 700, 100)]
    boxes = [
        (0, 0, 100, 100),  # right
        (200, 0, 300, 60),  # IoU 0.6: right
        (470, 0, 570, 100),  # IoU 30 / 170 = 0.18: pulled into place
        (0, 0, 100, 90),  # the first cell again: deleted
        (900, 900, 950, 950),  # clutter: deleted
    ]  # the last cell has none: drawn
    found = effort(_photo(boxes, labels))
    assert found == Effort(kept=2, moved=1, deleted=2, drawn=1)
    assert (found.touched, found.by_hand, found.share) == (4, 4, 100.0)
    assert effort(_photo(boxes, labels), iou=0.7).kept == 1
    assert effort(_photo(boxes, labels), iou=0.15).moved == 0


def test_nothing_drawn_is_all_by_hand_and_labels_themselves_are_no_work():
    labels = [(10 * i, 0, 10 * i + 8, 20) for i in range(7)]
    assert effort(_photo([], labels)) == Effort(0, 0, 0, 7)
    assert effort(_photo([], labels)).share == 100
    assert effort(_photo(labels[::-1], labels)) == Effort(7, 0, 0, 0)
    assert effort(_photo([], [])).share == 0


def test_wrong_kind_is_one_touch():
    box = [(0, 0, 10, 10)]
    kinds = {"box_classes": np.array(["dust"]), "label_classes": np.array(["cell"])}
    assert effort(_photo(box, box, **kinds)) == Effort(kept=0, moved=1, deleted=0, drawn=0)


def test_work_on_several_photos_adds_up():
    assert Effort(1, 2, 3, 4) + Effort(10, 20, 30, 40) == Effort(11, 22, 33, 44)


@pytest.mark.slow
def test_command_trains_on_some_and_measures_on_the_others(short, tmp_path, capsys):
    photos = render_folder(tmp_path, photos=3, seed=5, size=512, cells=(10, 20))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main.main(["prelabel", str(tmp_path), "--measure", "2", "--minutes", "0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("rendered-") for line in lines) == 2  # one photo, at both overlaps
    assert sum(line.startswith("all photos") for line in lines) == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(CellCountError, match="2 to 2 of them"):
        measure(tmp_path, len(photos))
