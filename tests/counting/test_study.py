"""Groups of photos and concentrations, against numbers worked out by hand."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from cellcount.calibration.concentration import CHAMBERS, concentration
from cellcount.calibration.intervals import Estimate
from cellcount.commands import main
from cellcount.counting.count import Count, Number
from cellcount.counting.study import grouped
from cellcount.counting.table import CountTable
from cellcount.errors import CellCountError


def exact(n):
    return Estimate(n, n, n)


def a_count(photo, live, dead, why=()):
    by_class = {"live": Number(live, live, live), "dead": Number(dead, dead, dead)}
    n = live + dead
    return Count(photo, n, np.empty((0, 4)), np.empty(0), n, n, by_class=by_class, why=why)


@pytest.fixture
def table(tmp_path):
    """Two conditions; a photo of the second could not be counted."""
    path = tmp_path / "counts.csv"
    with CountTable(path, ["live", "dead"], "m", "") as rows:
        for photo, live, dead in (("=a/1.png", 40, 10), ("=a/2.png", 45, 15), ("b/1.png", 0, 0)):
            rows.add(a_count(photo, live, dead, why=("it is darker",) if live == 45 else ()), 0.1)
        rows.fail("b/2.png", "cut short")
    return path


def rows_of(file):
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def test_a_hemocytometer_worked_out_by_hand():
    """Four corner squares of 0.1 µL hold 52, 48, 61 and 55 cells of a culture diluted by two."""
    counts = [exact(n) for n in (52, 48, 61, 55)]
    found = concentration(counts, CHAMBERS["neubauer-improved"].volume, dilution=2)
    assert found.value == pytest.approx(54 / 0.1 * 1000 * 2)  # 1.08 million
    # Poisson: 216 cells, from 188.2 to 246.8 (exact tables). The squares have an SD of 5.48, less
    # than the root of 54, which is 7.35: nothing but chance is seen.
    assert found.low == pytest.approx(188.2 / 216 * 1.08e6, rel=1e-3)
    assert found.high == pytest.approx(246.8 / 216 * 1.08e6, rel=1e-3)


def test_squares_that_differ_by_more_than_chance():
    """The same mean, but an SD of 22.33: 216 -+ t * SD * 2, where Student's t of 3 is 3.182."""
    found = concentration([exact(n) for n in (30, 40, 72, 74)], 0.1)
    assert found.high == pytest.approx((216 + 3.1824 * 22.33 * 2) / 0.4 * 1000, rel=1e-3)
    assert found.low == pytest.approx((216 - 3.1824 * 22.33 * 2) / 0.4 * 1000, rel=1e-3)


def test_chambers_hold_what_their_whole_ruling_is_said_to():
    """Microlitres of all squares, and the factor from cells in a large square to a millilitre."""
    wholes = {"neubauer-improved": (9, 0.9), "thoma": (1, 0.1), "buerker": (9, 0.9)}
    wholes |= {"fuchs-rosenthal": (16, 3.2), "sedgewick-rafter": (1000, 1000)}
    wholes |= {"neubauer-improved-group": (25, 0.1), "malassez": (100, 1)}
    assert wholes.keys() == CHAMBERS.keys()
    for name, (squares, microlitres) in wholes.items():
        assert CHAMBERS[name].volume * squares == pytest.approx(microlitres)
    assert concentration([exact(1)], CHAMBERS["neubauer-improved"].volume).value == 10_000


def test_density_and_volume_come_from_the_area(tmp_path, capsys):
    """50 cells on 1000 x 500 pixels of 1 µm: 0.5 mm², 100 cells/mm², 0.05 µL under 0.1 mm."""
    path = tmp_path / "counts.csv"
    with CountTable(path, ["live", "dead"], "m", "") as rows:
        one = a_count("a/1.png", 40, 10)
        rows.add(replace(one, area_px=500_000, um_per_px=1.0), 0.1)
    assert main.main(["groups", str(path), "--chamber", "thoma", "--squares", "area"]) == 0
    assert "100 (74.2 to 132) cells/mm²" in capsys.readouterr().out  # 37.1 to 65.9: Garwood
    (row,) = rows_of(path.with_name("counts-groups.csv"))
    assert float(row["cells/mm2"]) == 100 and float(row["cells/mL"]) == 1_000_000
    assert float(row["live/mL"]) == 800_000
    assert float(row["live/mL low"]) == pytest.approx(28.58 / 0.05 * 1000, rel=1e-3)
    with CountTable(path, ["live", "dead"], "m", "anew") as rows:
        rows.add(one, 0.1)
    assert main.main(["groups", str(path), "--chamber", "thoma", "--squares", "area"]) == 1
    assert "--um-per-px" in capsys.readouterr().err
    assert main.main(["groups", str(path), "--squares", "4"]) == 1
    assert "--chamber or --volume-ul" in capsys.readouterr().err


def test_one_photo_has_the_exact_interval_of_poisson():
    found = concentration([exact(10)], 1.0)
    assert found == pytest.approx((10_000, 4_795, 18_390), rel=1e-3)  # Garwood's table
    assert concentration([exact(0)], 1.0) == pytest.approx((0, 0, 3_689), rel=1e-3)


def test_detector_and_pipetting_widen_it():
    plain = concentration([exact(100)], 1.0)
    unsure = concentration([Estimate(100, 70, 140)], 1.0)
    assert unsure.low == pytest.approx(1000 * (100 - np.hypot(100 - plain.low / 1000, 30)))
    assert unsure.high == pytest.approx(1000 * (100 + np.hypot(plain.high / 1000 - 100, 40)))
    pipetted = concentration([exact(100)], 1.0, pipetting=0.1)
    assert pipetted.high == pytest.approx(
        1000 * (100 + np.hypot(plain.high / 1000 - 100, 19.59964))
    )
    assert pipetted.value == plain.value


def test_intervals_hold_the_concentration():
    """Cells that lie where they please, seen by a detector that errs by a tenth."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        true = rng.uniform(5, 200)
        seen = np.round(rng.poisson(true, 3) * rng.normal(1, 0.1, 3)).astype(int).clip(0)
        counts = [Estimate(n, round(n * 0.8), round(n * 1.2) + 1) for n in seen.tolist()]
        found = concentration(counts, 1.0)
        held.append(found.low <= 1000 * true <= found.high)
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("wrong", [{"volume": 0}, {"dilution": 0.5}, {"pipetting": 1}])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(CellCountError, match="No concentration comes of these numbers"):
        concentration([exact(1)], **{"volume": 1.0, **wrong})
    with pytest.raises(CellCountError, match="no count"):
        concentration([], 1.0)


def test_groups_by_folder_on_the_command_line(table, capsys):
    sample = ["--chamber", "neubauer-improved", "--squares", "2", "--dilution", "2"]
    assert main.main(["groups", str(table), *sample]) == 0
    said = capsys.readouterr().out
    assert "=a: 2 photos, 55.0 cells on each, SD 7.1" in said
    assert "live: 77 %" in said and "photos to be looked at: 1" in said
    assert "5.5e+05" in said
    first, second = rows_of(table.with_name("counts-groups.csv"))
    assert first["group"] == "'=a" and first["photos"] == "2" and first["to look at"] == "1"
    assert (first["cells"], first["mean"], first["SD"], first["CV %"]) == (
        "110",
        "55.0",
        "7.07",
        "12.9",
    )
    assert float(first["live %"]) == 77.3
    assert float(first["live % low"]) < 77.3 < float(first["live % high"])
    assert float(first["cells/mL"]) == 550_000  # 55 on 0.2 µL, twice
    assert second["not counted"] == "1" and second["cells"] == "0" and second["live %"] == ""
    assert float(second["cells/mL high"]) == pytest.approx(3.689 / 0.2 * 2000, rel=1e-3)


def test_groups_by_a_pattern_or_a_list(table, tmp_path):
    assert [(one.name, len(one.counts)) for one in grouped(table, "([0-9])[.]png")] == [
        ("1", 2),
        ("2", 1),
    ]
    listed = tmp_path / "groups.csv"
    listed.write_text("photo,group\n=a/1.png,x\n=a/2.png,x\nb/1.png,y\nb/2.png,y\n")
    assert [one.name for one in grouped(table, str(listed))] == ["x", "y"]
    listed.write_text("photo,group\n=a/1.png,x\n")
    with pytest.raises(CellCountError, match="names no group for =a/2"):
        grouped(table, str(listed))
    with pytest.raises(CellCountError, match="finds no group in =a/1"):
        grouped(table, "well([A-H])")
    with pytest.raises(CellCountError, match="no regular expression"):
        grouped(table, "([")


@pytest.mark.parametrize("content", ["photo,count\na.jpg,80\n", "", "\x00\x01"])
def test_what_is_no_table_of_counts_is_told(tmp_path, content, capsys):
    (tmp_path / "old.csv").write_text(content)
    assert main.main(["groups", str(tmp_path / "old.csv")]) == 1
    assert "old.csv" in capsys.readouterr().err


def test_place_that_cannot_be_written_is_told(table, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main.main(["groups", str(table), "--out", str(tmp_path / "file" / "g.csv")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main.main(["groups", str(table), "--out", str(tmp_path / "new" / "g.csv")]) == 0
    assert (tmp_path / "new" / "g.csv").is_file()


def test_chamber_that_is_not_known_is_told(table, capsys):
    assert main.main(["groups", str(table), "--chamber", "burger"]) == 1
    assert "fuchs-rosenthal" in capsys.readouterr().err
    assert main.main(["groups", str(table), "--chamber", "thoma", "--volume-ul", "1"]) == 1
    assert "not both" in capsys.readouterr().err
