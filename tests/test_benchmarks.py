"""The benchmark runs, takes turns and writes what it found; no test asks how fast anything is."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from benchmarks import capacity, cells, counting, imports, pictures, training, trust
from benchmarks.__main__ import main
from benchmarks.effort import Effort
from benchmarks.interleave import NotMeasuredError, Run, Runs, Worker, interleave, python, ready
from benchmarks.photos import BUNDLED, mosaic, true_count
from benchmarks.plain import leave_out
from benchmarks.table import Growth, Row
from cellcount.counting.count import Number
from cellcount.judging.evaluation import PhotoResult
from tests.conftest import ROOT

QUICK = Effort(quick=True)


def prepare_filling(factor):
    """A worker's work: it fills so many megabytes and answers with a product."""

    def fill(megabytes):
        if megabytes < 0:
            raise NotMeasuredError("less than nothing")
        return factor * len(bytearray(b"x") * (megabytes << 20)) >> 20

    return fill


def prepare_nothing():
    raise RuntimeError("there is nothing\nto prepare")


def test_ways_take_turns_and_warm_ups_do_not_count():
    order = []

    def way(name, seconds):
        left = iter(seconds)

        def run():
            order.append(name)
            return Run(next(left), 10)

        return run

    found = interleave({"a": way("a", [99, 3, 1, 2]), "b": way("b", [99, 4, 4, 7])}, 3)
    assert "".join(order) == "abababab"
    assert (found["a"].seconds, found["b"].seconds) == (2, 4)


def test_a_worker_answers_and_tells_the_peak_of_each_run():
    with ready(only=Worker(prepare_filling, factor=3)) as ways:
        runs = [ways["only"].run(megabytes) for megabytes in (100, 1)]
        with pytest.raises(NotMeasuredError, match="less than nothing"):
            ways["only"].run(-1)
    assert [run.answer for run in runs] == [300, 3]
    assert 80 < runs[0].peak - runs[1].peak < 120


def test_why_a_worker_is_not_ready():
    with (
        pytest.raises(NotMeasuredError, match=r"RuntimeError: there is nothing$"),
        ready(only=Worker(prepare_nothing)),
    ):
        pass


def test_a_program_that_fails_says_its_last_words():
    with pytest.raises(NotMeasuredError, match=r"^ValueError: no such thing$"):
        python("-c", "raise ValueError('no such thing')")
    assert python("-c", "bytearray(b'x') * (100 << 20)").peak > 100


def test_a_row_says_how_many_times_as_fast_and_whether_that_is_enough():
    ours, theirs = Runs([Run(2, 100), Run(4, 300)]), Runs([Run(6, 50)])
    row = Row.of("to count", ours, theirs, "a loop", must=2, aim=5)
    assert row.cells() == ["to count", "3", "a loop", "6", "**2.0**", "2", "5", "300 / 50"]
    assert "(missed)" in Row.of("to count", ours, theirs, must=2.1).cells()[4]
    assert "not measured: no loop" in Row("to count", reason="no loop").cells()


def test_growth_is_told_for_each_tenfold():
    growth = Growth("cells", "drawn", [(1, 1, 100, ""), (10, 1, 100, ""), (1000, 100, 200, "9")])
    said = growth.lines()
    assert "From 10 to 1000, time grows 10.0-fold and peak memory 1.4-fold per tenfold" in said[0]
    assert said[-1] == "| 1000 | 100 | 200 | 9 |"


def test_a_mosaic_shows_the_bundled_photos_and_their_cells(tmp_path):
    with Image.open(mosaic(tmp_path / "mosaic.png", 101, 2)) as whole:
        assert whole.size == (101, 101)
        corner = whole.crop((50, 0, 101, 50))
    with Image.open(BUNDLED[1]) as second:
        assert corner.tobytes() == second.resize((51, 50), Image.Resampling.BICUBIC).tobytes()
    assert true_count(2) == 81 + 35 + 110 + 64


def test_only_what_the_bridge_has_is_left_out():
    with pytest.raises(ValueError, match="the bridge has no wheels"):
        leave_out("wheels")


def test_what_is_timed_in_training_and_counting(icevision, tmp_path):
    epoch = training.prepare(training.LITE0, size=64, batch=1, photos=2, ours=True)
    assert len(epoch()) == len(epoch()) == 2
    counting.prepare_resizing()(tmp_path / "small.pth", 128)
    count = counting.prepare(tmp_path / "small.pth", engine="torch")
    assert count(str(BUNDLED[0])) == "torch"


def test_a_quick_run_writes_its_page(tmp_path, capsys):
    page = tmp_path / "RESULTS.md"
    main(["deform", "--quick", "--out", str(page)])
    text = page.read_text()
    assert text in capsys.readouterr().out
    assert re.search(r"\| deformable convolution, .* \| torchvision \| [\d.e-]+ \| \*\*", text)


def test_light_imports_are_measured():
    rows = imports._light(QUICK)
    assert len(rows) == 2
    assert all(row.ours > 0 and row.theirs > 0 for row in rows)


@pytest.mark.slow
def test_all_of_it_runs(tmp_path):
    page = tmp_path / "RESULTS.md"
    main(["--quick", "--out", str(page)])
    reasons = set(re.findall("not measured: ([^|.]*)", page.read_text()))
    assert {reason.strip() for reason in reasons} == {"left out by --quick"}


def test_rows_of_any_cell_become_means_with_their_spread():
    row = {"set": "a", "photos": 12, "alone": False, "ap50": 0.8, "ap50_any": 0.9, "off": 10.0}
    row |= {"judged": 4, "seconds": 60, "width": 40.0, "covered": 4}
    rows = [
        {**row, "seed": 0},
        {**row, "seed": 1, "ap50": 0.9, "width": None, "covered": None},
        {**row, "seed": 0, "alone": True, "width": None, "covered": None},
    ]
    *_, mean, alone = cells.table(rows)
    assert mean == "| 12 | a | 0.85 ± 0.07 | 0.90 ± 0.00 | 10 ± 0 % | 40 % | 4 of 4 | 1.0 min |"
    assert alone == "| 12, no head start | a | 0.80 | 0.90 | 10 % | none | none | 1.0 min |"


def test_head_start_of_a_set_is_made_once_from_the_others(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(cells, "make", lambda out, others, **_: (made.append(others), out.touch()))
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    options = SimpleNamespace(left_out=tmp_path / "starts", folders=folders, start=None)
    for _ in range(2):
        first, second = cells._starts(folders[1], options)
        assert (first, second) == (tmp_path / "starts" / "no_b.pth", cells.SHIPPED)
    assert made == [[folders[0], folders[2]]]


def test_classes_and_their_shares_are_judged_by_ten_photos():
    pairs = {"a": (4, Number(5, 3, 6)), "b": (16, Number(15, 10, 20))}
    odd = {"a": (9, Number(0)), "b": (1, Number(10))}  # a flagged photo takes no part in shares
    photos = [PhotoResult("p", 20, 20, 20, 20, by_class=pairs, why=())] * 11
    photos[3] = PhotoResult("q", 10, 10, 10, 10, by_class=odd, why=("it is darker",))
    result = SimpleNamespace(
        photos=tuple(photos),
        by_class={
            name: SimpleNamespace(off=12.5, covered=10, with_interval=10) for name in ("a", "b")
        },
    )
    told = cells._classes(result)
    assert told["a"] == told["b"] == {
        "off": 12.5, "covered": 10, "judged": 10, "shares held": 2, "shares": 2, "points off": 5.0,
    }  # fmt: skip
    row = {"set": "s", "photos": 12, "alone": False, "classes": told}
    *_, last = cells.classes_table([row, row, {**row, "photos": 3}, {**row, "classes": {}}])
    assert last == "| s | b | 12 ± 0 % | 20 of 20 | 5.0 ± 0.0 | 4 of 4 |"


def test_trust_is_measured_on_one_set_and_written_between_its_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "_CHANGED", 1)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- trust -->\nold\n<!-- end of trust -->\nafter\n")
    trust.main([str(ROOT / "data" / "labeled"), "--page", str(page)])
    before, _, heads, _, row, _, after = page.read_text().splitlines()
    assert (before, after, heads.count("|")) == ("before", "after", 9)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == ["data", "0 of 0"]
    assert re.fullmatch("[0-3] of 9", cells[2]) and cells[3] == "6 of 6"
    assert cells[4].startswith("4 of 4")


@pytest.mark.slow
def test_pictures_of_the_docs_are_made_again_with_the_figures_beside_them(tmp_path, capsys):
    pictures.main(["--out", str(tmp_path)])
    told = dict(re.findall(r"^(\w+):\n((?: .*\n)+)", capsys.readouterr().out, re.M))
    page = (ROOT / "docs" / "when-counts-are-wrong.md").read_text(encoding="utf-8")
    kept = {file.name: file for file in (ROOT / "docs" / "pictures").iterdir()}
    assert kept.keys() == {file.name for file in tmp_path.iterdir()}
    assert max(file.stat().st_size for file in kept.values()) < 80_000
    for name in ("thresholds", "twice", "magnification", "crowded", "pale"):
        (passage,) = (part for part in page.split("\n## ") if f"pictures/{name}.jpg" in part)
        for figure in re.findall(r"^\s+\[?(\d+)", told[name], re.M):
            assert re.search(rf"\b{figure}\b", passage), (name, figure)
    with Image.open(tmp_path / "twice.jpg") as made, Image.open(kept["twice.jpg"]) as shown:
        assert made.size == shown.size


def test_each_rung_of_the_ladder_is_a_larger_detector(icevision, tmp_path):
    from cellcount.detector.training import vfnet

    sizes = []
    for rung, changes in enumerate(capacity._LADDER.values()):
        model = vfnet(2, False, capacity._backbone(rung, changes, tmp_path))
        sizes.append(sum(one.numel() for one in model.parameters()))
    assert sizes == sorted({*sizes})
    assert capacity._seconds_a_step(model) > 0
