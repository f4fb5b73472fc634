"""From scores to counts, and a folder of photos to a table."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellcount.calibration.accuracy import count_threshold, percentage_error
from cellcount.counting.count import Count
from cellcount.counting.table import read_counts
from cellcount.errors import CellCountError
from cellcount.photos.view import View


def test_threshold_lies_between_cells_and_stains():
    scores = [np.array([0.9, 0.8, 0.62, 0.41, 0.3]), np.array([0.7, 0.61, 0.38, 0.2])]
    threshold = count_threshold(scores, [3, 2])
    assert 0.41 <= threshold < 0.61
    assert [int((s > threshold).sum()) for s in scores] == [3, 2]


def test_no_threshold_counts_better():
    rng = np.random.default_rng(0)
    scores = [rng.random(60) for _ in range(6)]
    labelled = [30, 18, 25, 40, 1, 33]
    chosen = count_threshold(scores, labelled)

    def error(threshold):
        counted = [sum(1 for score in photo if score > threshold) for photo in scores]
        return sum(abs(c - n) / n for c, n in zip(counted, labelled, strict=True))

    assert error(chosen) <= min(error(t / 1000) for t in range(50, 951, 5)) + 1e-9


def test_photo_without_cells_counts_too():
    scores = [np.array([0.9, 0.4]), np.array([0.5])]
    assert count_threshold(scores, [1, 0]) >= 0.5


@pytest.mark.parametrize(("scores", "labelled"), [([np.array([0.5])], [0]), ([], []), ([], [1])])
def test_threshold_needs_labelled_cells(scores, labelled):
    with pytest.raises(ValueError, match=r"labelled|labels"):
        count_threshold(scores, labelled)


def test_percentage_error():
    assert percentage_error([90, 33], [100, 30]) == pytest.approx(10)
    with pytest.raises(ValueError, match="no percentage"):
        percentage_error([1], [0])


@pytest.fixture(scope="module")
def checkpoint(icevision, tmp_path_factory):
    """A detector that has learned nothing but sees cells, saved as train.ipynb saves one."""
    from icevision.models.checkpoint import save_icevision_checkpoint

    vfnet = icevision.models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=False)
    file = tmp_path_factory.mktemp("models") / "new" / "model.pth"
    model = vfnet.model(backbone=backbone, num_classes=2)
    model.bbox_head.vfnet_cls.bias.data.fill_(0)  # every score is about 0.5
    save_icevision_checkpoint(
        model,
        model_name="mmdet.vfnet",
        backbone_name="efficientnet_lite0_fpn",
        classes=["cell"],
        img_size=96,
        filename=str(file),
        meta={"threshold": 0.5},
    )
    return file


def test_folder_is_counted_around_a_broken_photo(checkpoint, labelled_photos, tmp_path, capsys):
    from cellcount.counting.counter import Counter

    photos = sorted(labelled_photos.glob("*.jpg"))[:2]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photos[0].read_bytes()[:2000])
    counter = Counter(checkpoint)
    assert counter.threshold == 0.5
    counts = counter.count_all([photos[0], broken, photos[1]], tmp_path / "out" / "counts.csv")
    assert [Path(one.photo).name for one in counts] == [path.name for path in photos]
    assert read_counts(tmp_path / "out" / "counts.csv") == {one.photo: one.n for one in counts}
    said = capsys.readouterr()
    assert "broken.jpg" in said.out + said.err


def test_every_photo_of_a_file_is_counted_under_any_name(checkpoint, tmp_path):
    from cellcount.counting.counter import Counter

    pixels = np.random.default_rng(0).integers(0, 256, (2, 2, 64, 64)).astype(np.uint8)
    plain, table = tmp_path / "plain.tif", tmp_path / "counts.csv"
    said = {"axes": "TCYX", "Channel": {"Name": ["DAPI", "FITC"]}}
    tifffile.imwrite(plain, pixels, ome=True, photometric="minisblack", metadata=said)
    strange = plain.with_name(os.fsdecode(b"z\xe4hl.tif"))
    strange.write_bytes(plain.read_bytes())
    names = ["plain.tif[T1]", "plain.tif[T2]", r"z\xe4hl.tif[T1]", r"z\xe4hl.tif[T2]"]
    counter = Counter(checkpoint, view=View("FITC"))
    counts = counter.count_all([plain, strange], table)
    assert [one.photo for one in counts] == list(read_counts(table)) == names
    again = Counter(checkpoint, view=View("FITC")).count_all([plain, strange], table)
    assert [(one.photo, one.n) for one in again] == [(one.photo, one.n) for one in counts]
    assert not any(len(one.boxes) for one in again)  # they come from the table
    Image.fromarray(pixels[1, 1]).save(tmp_path / "alone.png")
    assert counts[1].n == Counter(checkpoint).count(tmp_path / "alone.png").n
    assert Counter(checkpoint).count_all([plain], table) == []


def test_the_command_takes_a_channel_and_a_slice(checkpoint, tmp_path, capsys):
    from cellcount.commands import main
    from cellcount.counting.counter import Counter

    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 2, 64, 64)).astype(np.uint8)
    said = {"axes": "TZCYX", "Channel": {"Name": ["DAPI", "FITC"]}}
    tifffile.imwrite(tmp_path / "a.tif", pixels, ome=True, photometric="minisblack", metadata=said)
    table = tmp_path / "counts.csv"
    counting = ["count", str(checkpoint), str(tmp_path), "--out", str(table)]
    assert main.main([*counting, "--channel", "FITC", "--z", "max"]) == 0
    assert "could not be counted" not in capsys.readouterr().out
    Image.fromarray(pixels[1, :, 1].max(axis=0)).save(tmp_path / "alone.png")
    alone = Counter(checkpoint).count(tmp_path / "alone.png").n
    counted = read_counts(table)
    assert list(counted) == ["a.tif[T1]", "a.tif[T2]"]
    assert counted["a.tif[T2]"] == alone
    assert main.main([*counting, "--z", "all"]) == 1
    assert "give max, sharpest, or the number" in capsys.readouterr().err


def test_lower_threshold_counts_more(checkpoint, labelled_photos):
    from cellcount.counting.counter import Counter

    photo = min(labelled_photos.glob("*.jpg"))
    assert Counter(checkpoint, threshold=0.9).count(photo).n == 0
    lenient = Counter(checkpoint, threshold=0.0)
    assert lenient.classes == ["cell"]
    count = lenient.count(photo)
    assert count.n == len(count.boxes) == len(count.scores) > 0
    assert (count.boxes >= 0).all() and (count.boxes <= 1024).all()


def test_checkpoint_without_threshold_says_so(checkpoint, tmp_path):
    import torch

    from cellcount.counting.counter import Counter

    stored = torch.load(checkpoint, weights_only=True)
    del stored["meta"]["threshold"]
    torch.save(stored, tmp_path / "old.pth")
    with pytest.raises(CellCountError, match="threshold"):
        Counter(tmp_path / "old.pth")
    assert Counter(tmp_path / "old.pth", threshold=0.4).threshold == 0.4


def test_calibrated_checkpoint_counts_with_an_interval(checkpoint, labelled_photos, tmp_path):
    import torch

    from cellcount.calibration.intervals import Calibration
    from cellcount.counting.counter import Counter

    calibration = Calibration(0.4, 0.5, 1.2, 0.3, (40.0, 60.0), (9.0, 12.0), (44, 66))
    stored = torch.load(checkpoint, weights_only=True)
    stored["meta"]["calibration"] = calibration.to_meta()
    torch.save(stored, tmp_path / "calibrated.pth")
    counter = Counter(tmp_path / "calibrated.pth")
    assert counter.calibration == calibration
    photo = min(labelled_photos.glob("*.jpg"))
    boxes, scores, _ = counter.find(photo, 0.0)
    count = Count.of(photo, boxes, scores, calibration)
    assert (count.n, count.low, count.high) == calibration.count(scores)
    assert str(count) == f"{count.n} ({count.low} to {count.high})"
    assert len(count.boxes) == min(count.n, len(scores))
    assert list(count.scores) == sorted(scores, reverse=True)[: count.n]
    wide = calibration.count(scores, level=0.99)
    assert wide.low <= count.low <= count.high <= wide.high
    # A threshold of one's own is asked for in the place of all that was learned.
    assert Counter(tmp_path / "calibrated.pth", threshold=0.9).count(photo).low is None


def test_warm_start_begins_each_class_as_any_cell(icevision):
    import torch

    from cellcount.detector.head_start import SHIPPED, warm_start

    vfnet = icevision.models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=False)
    model = vfnet.model(backbone=backbone, num_classes=4)
    warm_start(model, SHIPPED)
    stored = torch.load(SHIPPED, weights_only=True)["state_dict"]
    assert torch.equal(model.backbone.conv1.weight, stored["backbone.conv1.weight"])
    any_cell = stored["bbox_head.vfnet_cls.weight"]
    assert all(torch.equal(one, any_cell[0]) for one in model.bbox_head.vfnet_cls.weight)
    with pytest.raises(CellCountError, match="not there"):
        warm_start(model, "gone.pth")
    resnet = vfnet.backbones.resnet50_fpn_1x(pretrained=False)
    with pytest.raises(CellCountError, match="another"):
        warm_start(vfnet.model(backbone=resnet, num_classes=2))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda whole: b"hi", "is no checkpoint"),
        (lambda whole: b"", "damaged or incomplete"),
        (lambda whole: whole[:20_000], "damaged or incomplete"),
        (lambda whole: whole[:30_000] + bytes(999) + whole[31_000:], "damaged or incomplete"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (lambda whole: b"<!DOCTYPE html><html></html>", "is no checkpoint"),
        (lambda whole: b"\xff\xd8\xff\xe0" + bytes(500), "is no checkpoint"),
        (lambda whole: b"PK\x03\x04" + bytes(500), "damaged or incomplete"),
    ],
)
def test_file_that_is_no_checkpoint_is_told(checkpoint, tmp_path, make, said):
    from cellcount.counting.counter import Counter

    (tmp_path / "bad.pth").write_bytes(make(checkpoint.read_bytes()))
    with pytest.raises(CellCountError, match=said):
        Counter(tmp_path / "bad.pth")
