"""What is to be measured on a graphics card, as far as a processor can rehearse it."""

import sys

import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import operators, training, wheels
from benchmarks.gpu.counting import farthest
from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page

CPU = torch.device("cpu")
QUICK = Meter(CPU, quick=True)


@pytest.fixture(scope="module")
def cases(icevision):
    return operators.cases(quick=True)


def test_every_operator_of_the_bridge_is_compared_and_holds_in_each_format(cases):
    with operators.watched() as called:
        for name, case in cases.items():
            for kind in (torch.float32, torch.float16, torch.bfloat16):
                result, slopes = operators.errors(case, kind, CPU)
                assert max(result, slopes) <= operators.allowed(kind), (name, kind)
    assert called == operators.kernels()


def test_a_card_that_computes_otherwise_is_found_out(cases, monkeypatch):
    lent = vars(sys.modules["mmcv._ext"])
    backward, nms = lent["roi_align_backward"], lent["nms"]

    def a_little_off(*given, **named):
        backward(*given, **named)
        given[4].mul_(1.001 if given[4].dtype == torch.float32 else 1)

    def without_the_last(boxes, *given, **named):
        kept = nms(boxes, *given, **named)
        return kept[:-1] if boxes.dtype == torch.float32 else kept

    monkeypatch.setitem(lent, "roi_align_backward", a_little_off)
    monkeypatch.setitem(lent, "nms", without_the_last)
    result, slopes = operators.errors(cases["roi_align, average"], torch.float32, CPU)
    assert result < operators.allowed(torch.float32) < slopes
    assert operators.errors(cases["nms"], torch.float32, CPU)[0] == torch.inf
    monkeypatch.setitem(lent, "nms", nms)
    assert operators.errors(cases["nms"], torch.float32, CPU)[0] == 0


def test_an_operator_that_fails_leaves_the_others(cases, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no kernel | for this\nand more")

    some = {"broken": operators.Case(fail, []), "bbox_overlaps": cases["bbox_overlaps"]}
    monkeypatch.setattr(operators, "cases", lambda _: some)
    monkeypatch.setattr(operators, "borders", lambda _: "76 passed")
    operators.measure(Page(tmp_path / "page.md"), QUICK)
    lines = (tmp_path / "page.md").read_text().splitlines()
    rows = [line for line in lines if "CPU (rehearsed)" in line]
    told = "**RuntimeError: no kernel / for this and more**"
    assert [told in row for row in rows[:4]] == [1, 1, 1, 0]
    assert all(row.endswith("| ok |") for row in rows[3:6])
    assert any("nothing called: deform_conv_backward_input, " in line for line in lines)


def test_pages_keep_what_was_added(tmp_path):
    page = Page(tmp_path / "new" / "page.md")
    page.begin("python -m benchmarks.gpu")
    page.section("Speed", ("what", "on", "s"))
    page.row("a step", "a card", 0.123456)
    text = page.file.read_text()
    assert text.endswith(
        "## Speed\n\n| what | on | s |\n|---|---|--:|\n| a step | a card | 0.123 |\n"
    )
    assert "`python -m benchmarks.gpu`, " in text


def test_without_a_card_it_says_how_to_rehearse(capsys, monkeypatch):
    monkeypatch.setattr(gpu, "_has_card", lambda: False)
    assert gpu.main([]) == 1
    assert "--device cpu" in capsys.readouterr().out


def test_an_epoch_is_judged():
    walkthrough = training._WAYS[0]
    assert [walkthrough.verdict(s) for s in (2.1, 1.9, 0.4)] == [
        "**over 2 s**",
        "under 2 s",
        "under 0.5 s",
    ]


def test_scores_are_compared_rank_by_rank():
    here, there = [("2", [0.9, 0.5]), ("0", [])], [("3", [0.9, 0.25, 0.1]), ("0", [])]
    assert farthest(here, there) == 0.25


def test_wheels_are_of_what_counting_on_a_card_needs():
    carried = wheels.carried()
    assert {"icevision", "mmdet", "mmcv", "fastai", "albumentations", "shapely"} <= set(carried)
    assert carried["mmdet"] == "2.28.2"
    assert {"contourpy", "plum-dispatch"} <= set(carried)  # what those need in turn
    without = {"torch", "numpy", "jupyterlab", "pyqt5", "labelimg", "openvino", "imagecodecs"}
    assert not without & set(carried)


def test_large_wheels_that_are_there_stay_here(tmp_path, capsys, monkeypatch):
    def gather(folder, _):
        for name, size in {"big_one": 3, "other": 2, "small": 1}.items():
            (folder / f"{name}-1.0-py3-none-any.whl").write_bytes(b"x" * (size << 20))

    monkeypatch.setattr(wheels, "gather", gather)
    there = tmp_path / "there.txt"
    there.write_text("Big.One==2.0\nsmall==1.0\n")
    assert gpu.main(["wheels", str(tmp_path / "a"), "--there", str(there), "--most", "3"]) == 0
    assert [file.name[:5] for file in sorted((tmp_path / "a").iterdir())] == ["other", "small"]
    assert "Left out, as they are there: big-one." in capsys.readouterr().out
    assert gpu.main(["wheels", str(tmp_path / "b"), "--most", "3"]) == 1
    assert "6.0 MiB" in (said := capsys.readouterr().out)
    assert "more than 3 MiB: name with --there what the machine has" in said


@pytest.mark.slow
def test_all_of_it_is_rehearsed(tmp_path):
    page = tmp_path / "page.md"
    assert gpu.main(["--device", "cpu", "--quick", "--out", str(page)]) == 0
    text = page.read_text()
    assert "**" not in text
    assert "76 passed" in text
    assert text.count("8 of 8 the same") >= 2
    assert text.count("it runs") == 2
