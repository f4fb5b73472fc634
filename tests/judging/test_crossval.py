"""Cross-validation: each photo is judged by who has not seen it, and says so in tables."""

import csv

import numpy as np
import pytest

from cellcount.calibration.matching import Prediction
from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.judging import crossval
from cellcount.labels import voc
from cellcount.render import render_folder


def _photo(rng, name, labelled):
    corner = rng.uniform(0, 500, (labelled, 2))
    labels = np.hstack([corner, corner + 20])
    clutter = rng.uniform(0, 500, (labelled, 2))
    boxes = np.vstack([labels, np.hstack([clutter, clutter + 20])])
    scores = np.concatenate([rng.uniform(0.4, 0.9, labelled), rng.uniform(0.05, 0.5, labelled)])
    return Prediction(name, boxes, scores, labels)


def test_no_photo_teaches_its_own_count():
    rng = np.random.default_rng(0)
    photos = [_photo(rng, str(i), 20 + 5 * i) for i in range(6)]
    parts = [[0, 3], [1, 4], [2, 5]]
    thresholds, counts = crossval._count(photos, parts)
    # Other labels on one part change the counts of the others, not its own.
    relabelled = [
        Prediction(one.photo, one.boxes, one.scores, one.labels[:5]) if i in parts[0] else one
        for i, one in enumerate(photos)
    ]
    again_thresholds, again = crossval._count(relabelled, parts)
    for i in range(6):
        same = str(counts[i]) == str(again[i]) and thresholds[i] == again_thresholds[i]
        assert same == (i in parts[0])


def test_command_trains_judges_and_writes(short, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    photos = render_folder(folder, photos=4, seed=3, size=512, cells=(20, 30))
    command = ["crossval", str(folder), "--folds", "2", "--steps", "8"]
    assert main.main([*command, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Intervals:" in said and "A training took" in said
    with (out / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == [photo.name for photo in photos]
    truth = [len(voc.read(photo.with_suffix(".xml")).boxes) for photo in photos]
    assert [int(row["labelled"]) for row in rows] == truth
    for row in rows:
        assert int(row["low"]) <= int(row["predicted"]) <= int(row["high"])
    for name in ("counts.png", "bland_altman.png", "f1.png", f"{photos[0].stem}.jpg"):
        assert (out / name).stat().st_size > 5_000


def test_more_folds_than_photos_are_refused(tmp_path):
    render_folder(tmp_path, photos=2, seed=3, size=256, cells=(3, 3))
    with pytest.raises(CellCountError, match="from 2 to 2 folds"):
        crossval.cross_validate(tmp_path, folds=3)


def test_folder_without_labels_is_told(tmp_path):
    render_folder(tmp_path, photos=2, seed=3, size=256, cells=(3, 3), labels=False)
    with pytest.raises(CellCountError, match="labelImg"):
        crossval.cross_validate(tmp_path)
