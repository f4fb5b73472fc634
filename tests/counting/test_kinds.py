"""Counts of several classes on one photo: of each, together, left out, whatever their names."""

import csv

import numpy as np
import pytest

from cellcount.calibration.intervals import Calibration
from cellcount.commands import main
from cellcount.commands.asked import groups
from cellcount.counting.count import Count, Number
from cellcount.counting.counter import Counter
from cellcount.errors import CellCountError
from cellcount.render import render_folder

ODD = ["a, b", "x=y", "🦠 cell", "l" * 80]
SURE = Calibration(0.5, 0.5, 3.0, 0.0, (20.0, 20.0, 20.0), (0.6, 0.6, 0.6), (20, 20, 20))


def a_count(found, calibration=SURE):
    """Boxes of these classes, all sure."""
    kinds = np.array(found, dtype=str)
    boxes = np.arange(4.0 * len(found)).reshape(-1, 4)
    scores = np.linspace(0.95, 0.9, len(found))
    of = dict.fromkeys(["rbc", "wbc", "never"], calibration)
    return Count.of("a.jpg", boxes, scores, calibration, kinds=kinds, by_class=of)


@pytest.mark.parametrize("calibration", [SURE, None])
def test_classes_add_up_and_have_their_boxes(calibration):
    count = a_count(["rbc"] * 18 + ["wbc"] * 2, calibration)
    assert {name: one.n for name, one in count.by_class.items()} == {
        "rbc": 18, "wbc": 2, "never": 0,
    }  # fmt: skip
    assert count.n == 20
    assert {name: len(boxes) for name, boxes in count.drawn.items()} == {
        "rbc": 18, "wbc": 2, "never": 0,
    }  # fmt: skip
    if calibration is None:
        assert str(count) == "20: rbc 18, wbc 2, never 0"
    else:
        assert all(one.low <= one.n <= one.high for one in count.by_class.values())
        assert count.by_class["never"].high <= 2


def test_classes_are_put_together_and_left_out():
    count = a_count(["rbc"] * 18 + ["wbc"] * 2)
    both = count.grouped({"blood": ["rbc", "wbc"], "never": ["never"]})
    assert (both.n, both.low, both.high) == (count.n, count.low, count.high)
    assert both.by_class["blood"].n == 20 and set(both.kinds) == {"blood"}
    white = count.grouped({"wbc": ["wbc"]})
    assert white.n == len(white.boxes) == 2
    assert white.by_class == {"wbc": Number(white.n, white.low, white.high)}


def test_detector_of_one_class_counts_as_ever():
    count = Count.of("a.jpg", np.zeros((2, 4)), np.array([0.9, 0.8]))
    assert count.by_class == {} and count.kinds is None and str(count) == "2"
    assert count.grouped({"cell": ["cell"]}) is count


@pytest.mark.parametrize(
    ("classes", "merge", "made"),
    [
        ([], [], {name: [name] for name in ODD}),
        (["a, b,x=y"], [], None),
        (["a, b", "x=y"], [], {"a, b": ["a, b"], "x=y": ["x=y"]}),
        ([], ["live=x=y+🦠 cell"], {ODD[0]: [ODD[0]], ODD[3]: [ODD[3]], "live": ODD[1:3]}),
        (["live"], ["live=x=y+🦠 cell"], {"live": ODD[1:3]}),
        ([], ["live"], None),
        ([], ["=x=y"], None),
        ([], ["x=y=🦠 cell"], None),
        ([], [" live = x=y+🦠 cell"], {ODD[0]: [ODD[0]], ODD[3]: [ODD[3]], "live": ODD[1:3]}),
        (["gone"], [], None),
    ],
)
def test_groups_are_read_or_refused(classes, merge, made):
    if made is None:
        with pytest.raises(CellCountError, match=r"no class|says no name|a class"):
            groups(classes, merge, ODD)
    else:
        assert groups(classes, merge, ODD) == made


@pytest.fixture(scope="module", params=[ODD, [f"kind {i}" for i in range(20)]])
def several(request, icevision, tmp_path_factory):
    """A detector of such classes that has learned nothing and finds cells everywhere."""
    from icevision.models.checkpoint import save_icevision_checkpoint

    vfnet = icevision.models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=False)
    model = vfnet.model(backbone=backbone, num_classes=len(request.param) + 1)
    model.bbox_head.vfnet_cls.bias.data.fill_(0)
    file = tmp_path_factory.mktemp("models") / "several.pth"
    save_icevision_checkpoint(
        model,
        model_name="mmdet.vfnet",
        backbone_name="efficientnet_lite0_fpn",
        classes=request.param,
        img_size=96,
        filename=str(file),
        meta={"threshold": 0.5, "calibration": SURE.to_meta()},
    )
    return file, request.param


def test_table_and_command_line_name_each_class(several, tmp_path, capsys):
    file, names = several
    (photo,) = render_folder(tmp_path / "photos", photos=1, seed=2, size=96, cells=(3, 3))
    table = tmp_path / "counts.csv"
    assert main.main(["count", str(file), str(photo), "--out", str(table)]) == 0
    said = capsys.readouterr().out
    with table.open(newline="", encoding="utf-8-sig") as opened:
        (row,) = csv.DictReader(opened)
    assert list(row)[:4] == ["photo", "count", "low", "high"]
    assert sum(int(row[name]) for name in names) == int(row["count"]) > 0
    for name in names:
        assert int(row[f"{name} low"]) <= int(row[name]) <= int(row[f"{name} high"])
        assert float(row[f"{name} %"]) == round(100 * int(row[name]) / int(row["count"]), 1)
        assert f"{name}, of the cells counted: " in said

    merged = f"some={names[0]}+{names[1]}"
    command = ["count", str(file), str(photo), "--out", str(table), "--merge", merged]
    assert main.main([*command, "--classes", "some"]) == 0
    with table.open(newline="", encoding="utf-8-sig") as opened:
        (again,) = csv.DictReader(opened)
    assert int(again["some"]) == int(again["count"]) == int(row[names[0]]) + int(row[names[1]])
    assert main.main([*command, "--classes", "gone"]) == 1
    assert "There is no class 'gone'" in capsys.readouterr().err


def test_share_of_a_class_is_of_all_photos(several, tmp_path):
    file, names = several
    counter = Counter(file)
    photos = render_folder(tmp_path, photos=2, seed=2, size=96, cells=(3, 3))
    counts = [counter.count(photo) for photo in photos]
    found = counter.share(names[0], counts)
    n, every = sum(one.by_class[names[0]].n for one in counts), sum(one.n for one in counts)
    assert found.low <= found.value == n / every <= found.high
    with pytest.raises(CellCountError, match="No class"):
        counter.share("gone", counts)
    with pytest.raises(CellCountError, match="knows no class"):
        counter.group({"one": ["gone"]})
    with pytest.raises(CellCountError, match="counted twice"):
        counter.group({"one": names[:2], "other": names[:1]})
