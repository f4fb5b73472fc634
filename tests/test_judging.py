"""A trained model on labelled photos: the shipped one, on rendered and on real photos."""

import csv

import numpy as np
import pytest

from cellcount import cli, voc
from cellcount.counter import Counter
from cellcount.judging import judge
from cellcount.pretrain import SHIPPED
from cellcount.render import render_folder


def test_command_prints_and_writes(tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    photos = render_folder(folder, photos=3, seed=11, cells=(20, 60))
    assert cli.main(["evaluate", str(SHIPPED), str(folder), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "AP50" in said and "Intervals:" in said
    with (out / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [len(voc.read(photo.with_suffix(".xml")).boxes) for photo in photos]
    assert [int(row["labelled"]) for row in rows] == truth
    counter = Counter(SHIPPED)
    for photo, row in zip(photos, rows, strict=True):
        count = counter.count(photo)
        shown = tuple(int(row[name]) for name in ("predicted", "low", "high"))
        assert shown == (count.n, count.low, count.high)
    with (out / "summary.csv").open(newline="") as file:
        summary = {row["figure"]: float(row["value"]) for row in csv.DictReader(file)}
    off = [abs(int(row["error"])) / int(row["labelled"]) for row in rows]
    assert summary["mape"] == pytest.approx(100 * np.mean(off))
    assert (out / f"{photos[0].stem}.jpg").stat().st_size > 20_000


def test_folder_without_labels_is_told(tmp_path, capsys):
    assert cli.main(["evaluate", str(SHIPPED), str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.slow
def test_intervals_cover_rendered_photos_of_new_seeds(tmp_path):
    """Forty photos, no seed of which the shipped detector has seen; 95 % are promised."""
    render_folder(tmp_path / "photos", photos=40, seed=4000)
    result = judge(SHIPPED, tmp_path / "photos", tmp_path / "out")
    assert result.covered is not None
    assert result.covered >= 35  # fewer are unlikely if 95 % are: 1 in 70
    assert result.counts.mape < 6


def test_shipped_detector_counts_real_photos_it_has_never_seen(real_photos, tmp_path):
    result = judge(SHIPPED, real_photos, tmp_path / "out")
    assert result.ap50 > 0.75
    assert result.counts.mape < 13
