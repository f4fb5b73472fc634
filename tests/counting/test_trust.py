"""Photos unlike those learned from are told, and counted at the size that fits."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cellcount.commands import main
from cellcount.counting.counter import Counter
from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.photos.levels import Levels
from cellcount.photos.reading import PhotoError, list_photos, read_photo
from cellcount.photos.view import View
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
COUNTED = ROOT / "data" / "not_labeled"


@pytest.fixture(scope="module")
def counter():
    return Counter(MODEL)


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(read_photo(list_photos(COUNTED)[0]))


def _labelled(photos):
    return sum(len(voc.read(COUNTED / "labels" / f"{one.stem}.xml").boxes) for one in photos)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda photo: photo.filter(ImageFilter.GaussianBlur(8)), "blurred"),
        (lambda photo: photo.point(lambda value: value // 10), "darker"),
        (lambda photo: photo.point(lambda value: min(255, value * 2 + 60)), "brighter"),
        (lambda photo: photo.convert("L").convert("RGB"), "colour"),
        (lambda photo: Image.new("RGB", photo.size), "darker"),
        (lambda photo: Image.new("RGB", (1, 1), "white"), "brighter"),
    ],
)
def test_spoilt_photo_has_a_reason_and_no_interval(counter, photo, tmp_path, spoil, says):
    photo.save(tmp_path / "good.png")
    good = counter.count(tmp_path / "good.png")
    assert good.trust == "ok" and good.low <= good.n <= good.high
    spoil(photo).save(tmp_path / "bad.png")
    bad = counter.count(tmp_path / "bad.png")
    assert bad.trust == "look" and bad.low is bad.high is None
    assert any(says in reason for reason in bad.why), bad.why
    assert "Look at it" in str(bad)


@pytest.mark.parametrize("times", [0.5, 2, 4])
def test_enlarged_and_shrunken_photo_is_counted_as_it_was(counter, photo, tmp_path, times):
    photo.save(tmp_path / "a.png")
    resized = photo.resize([round(side * times) for side in photo.size], Image.Resampling.LANCZOS)
    resized.save(tmp_path / "b.png")
    before, after = counter.count(tmp_path / "a.png"), counter.count(tmp_path / "b.png")
    assert after.n == pytest.approx(before.n, rel=0.1)


def test_mosaic_is_counted_in_tiles_by_itself(counter, tmp_path):
    photos = (list_photos(COUNTED) * 2)[:9]
    width, height = Image.open(photos[0]).size
    mosaic = Image.new("RGB", (3 * width, 3 * height))
    for place, one in enumerate(photos):
        picture = Image.fromarray(read_photo(one)).resize((width, height))
        mosaic.paste(picture, (place % 3 * width, place // 3 * height))
    mosaic.save(tmp_path / "mosaic.png")
    count = counter.count(tmp_path / "mosaic.png")
    assert count.n == pytest.approx(_labelled(photos), rel=0.1)
    assert count.tile == width and counter.count(photos[0]).tile is None


@pytest.mark.parametrize("times", [0.5, 2])
def test_photo_of_another_objective_is_counted_at_its_scale(
    counter, photo, tmp_path, times, capsys
):
    """A quarter of a photo, enlarged; and a photo that lies small in the corner of a field."""
    own = tmp_path / "a.png"
    seen = photo.crop((0, 0, 128, 128)) if times > 1 else photo
    seen.save(own)
    before = Counter(MODEL, scale=1).count(own)
    resized = seen.resize([round(side * times) for side in seen.size], Image.Resampling.LANCZOS)
    resized.save(tmp_path / "b.png")
    table = tmp_path / "counts.csv"
    asked = ["count", str(MODEL), str(tmp_path / "b.png"), "--out", str(table)]
    assert main.main([*asked, "--scale", str(times)]) == 0
    with table.open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert int(row["count"]) == pytest.approx(before.n, abs=1) and before.n > 1
    assert row["tile"] == str(round(256 * times))
    assert main.main([*asked, "--scale", "-1"]) == 1
    assert "give a number over 0" in capsys.readouterr().err


def test_pixel_size_tells_the_scale(photo, tmp_path):
    """A corner of a photo by an objective that shows cells twice as large, and says so."""
    import tifffile
    import torch

    stored = torch.load(MODEL, weights_only=True)
    stored["meta"]["usual"]["um_per_px"] = 0.5
    torch.save(stored, tmp_path / "m.pth")
    corner = photo.crop((0, 0, 128, 128))
    corner.save(tmp_path / "a.png")
    before = Counter(MODEL, scale=1).count(tmp_path / "a.png")
    twice = np.asarray(corner.resize((256, 256), Image.Resampling.LANCZOS))
    pixel = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}
    pixel |= {"PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "b.ome.tif", twice, photometric="rgb", metadata=pixel)
    counter = Counter(tmp_path / "m.pth")
    (after,) = counter.count_all([tmp_path / "b.ome.tif"], tmp_path / "counts.csv")
    assert after.n == pytest.approx(before.n, abs=1) and after.tile == 512
    with (tmp_path / "counts.csv").open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    sides = (before.boxes[:, 2:] - before.boxes[:, :2]).prod(axis=1) ** 0.5
    assert row["um/px"] == "0.25"
    assert float(row["cell um"]) == pytest.approx(0.5 * np.median(sides), rel=0.15)
    # The same objective, said by hand, and no word of any.
    assert Counter(tmp_path / "m.pth", um_per_px=0.52).count(tmp_path / "a.png").tile is None
    assert counter.count(tmp_path / "a.png").um_per_px is None
    assert Counter(tmp_path / "m.pth", um_per_px=0.25).count(tmp_path / "a.png").tile == 512
    with pytest.raises(CellCountError, match="means nothing"):
        Counter(MODEL, um_per_px=0)


def test_shipped_detectors_doubt_what_is_no_photo_of_cells(tmp_path):
    for name in ("cells.pth", "rendered.pth"):
        counter = Counter(ROOT / "models" / name)
        for colour in ("black", "white"):
            Image.new("RGB", (640, 480), colour).save(tmp_path / "plain.png")
            count = counter.count(tmp_path / "plain.png")
            assert count.trust == "look" and count.low is None


def test_table_and_command_line_name_the_odd_photo(tmp_path, photo, capsys):
    photo.save(tmp_path / "a.png")
    photo.point(lambda value: value // 10).save(tmp_path / "b.png")
    table = tmp_path / "counts.csv"
    model = str(MODEL)
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    assert main.main(["count", model, *files, "--out", str(table)]) == 0
    with table.open(newline="", encoding="utf-8-sig") as file:
        good, odd = csv.DictReader(file)
    assert (good["trust"], good["why"], odd["trust"], odd["low"]) == ("ok", "", "look", "")
    assert "darker" in odd["why"]
    assert "1 of 2 photos are unlike" in capsys.readouterr().out


@pytest.fixture(scope="module")
def lit_model(tmp_path_factory):
    """The model, with the levels of photos like those it has learned from in its checkpoint."""
    import torch

    stored = torch.load(MODEL, weights_only=True)
    levels = Levels.usual([Levels.of(read_photo(one)) for one in list_photos(COUNTED)])
    stored["meta"]["usual"]["levels"] = vars(levels)
    model = tmp_path_factory.mktemp("lit") / "m.pth"
    torch.save(stored, model)
    return model


@pytest.fixture(scope="module")
def lit(lit_model):
    return Counter(lit_model)


def test_photos_of_usual_light_are_counted_as_before(counter, lit):
    pairs = [(counter.count(photo), lit.count(photo)) for photo in list_photos(COUNTED)[:4]]
    usual = [(before, after) for before, after in pairs if before.trust == "ok"]
    assert len(usual) >= 3
    for before, after in usual:
        assert not after.matched
        assert str(after) == str(before) and (after.boxes == before.boxes).all()


@pytest.mark.parametrize(
    "change",
    [lambda value: value // 4, lambda value: value // 2, lambda value: round(value * 0.4 + 10)],
)
def test_photo_of_other_light_is_brought_back_and_counted_with_its_interval(
    counter, lit, photo, tmp_path, change
):
    photo.save(tmp_path / "a.png")
    photo.point(change).save(tmp_path / "b.png")
    good = counter.count(tmp_path / "a.png")
    was, now = (one.count(tmp_path / "b.png") for one in (counter, lit))
    assert was.why and not was.matched
    assert now.matched and now.trust == "ok" and now.low <= good.n <= now.high
    assert now.n == pytest.approx(good.n, rel=0.1)
    assert "brightness matched" in str(now)
    assert now.figures["brightness"] == was.figures["brightness"]  # as a series shows it
    pixels = read_photo(tmp_path / "b.png")
    assert (lit.find(pixels).boxes[: now.n] == now.boxes).all()  # prelabelling sees the same


@pytest.mark.parametrize(
    "spoil",
    [
        lambda photo: photo.filter(ImageFilter.GaussianBlur(8)).point(lambda value: value // 4),
        lambda photo: photo.convert("L").convert("RGB").point(lambda value: value // 4),
        lambda photo: Image.new("RGB", photo.size),
        lambda photo: Image.effect_noise(photo.size, 20).convert("RGB"),
    ],
)
def test_what_light_alone_does_not_explain_is_counted_as_it_is(
    counter, lit, photo, tmp_path, spoil
):
    spoil(photo).save(tmp_path / "bad.png")
    before, after = (one.count(tmp_path / "bad.png") for one in (counter, lit))
    assert after.trust == "look" and not after.matched
    assert str(after) == str(before)


def test_table_and_command_line_say_whose_brightness_was_matched(
    lit_model, photo, tmp_path, capsys
):
    photo.save(tmp_path / "a.png")
    photo.point(lambda value: value // 3).save(tmp_path / "b.png")
    table = tmp_path / "counts.csv"
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for _ in range(2):  # the second time, from the table
        assert main.main(["count", str(lit_model), *files, "--out", str(table)]) == 0
        plain, matched = capsys.readouterr().out.splitlines()[:2]
        assert matched.endswith("brightness matched")
        assert "matched" not in plain
    with table.open(newline="", encoding="utf-8-sig") as file:
        assert [row["brightness"] for row in csv.DictReader(file)] == ["", "matched"]


def test_long_series_has_a_chart_and_names_who_stands_out(tmp_path, photo, capsys):
    (tmp_path / "day").mkdir()
    for number in range(20):
        dim = 0.5 if number == 12 else 1 + number % 3 / 100
        shown = photo.rotate(90 * (number % 4)).point(lambda value, dim=dim: round(value * dim))
        shown.save(tmp_path / "day" / f"{number:02}.png")
    model, table = str(MODEL), tmp_path / "counts.csv"
    assert main.main(["count", model, str(tmp_path / "day"), "--out", str(table)]) == 0
    said = capsys.readouterr().out
    assert "12.png stands out from the other photos: it is darker" in said
    assert said.count("stands out") == 1
    assert Image.open(tmp_path / "counts-series.png").width > 500


def test_flagged_photos_are_judged_beside_others(tmp_path, photo, capsys):
    """With labels of a class that the model does not know, on the photo that is flagged."""
    (tmp_path / "photos").mkdir()
    box = (100, 100, 160, 160)
    for name, picture, kind in (
        ("a", photo.point(lambda value: value // 10), "platelet"),
        ("b", photo, "rbc"),
        ("c", photo, "rbc"),
    ):
        file = tmp_path / "photos" / f"{name}.png"
        picture.save(file)
        voc.write(
            file.with_suffix(".xml"),
            voc.Annotation(file.name, *picture.size, (voc.Box(kind, *box),), verified=True),
        )
    model, out = str(MODEL), tmp_path / "out"
    assert main.main(["evaluate", model, str(tmp_path / "photos"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "does not know the class platelet" in said
    assert "Photos unlike those that the model has learned from: 1" in said
    assert "nan" not in said
    with (out / "photos.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["low"] == "" and "darker" in rows[0]["look"] and rows[1]["low"] != ""
    assert (out / "counts.png").is_file() and (out / "confusion.png").is_file()


def test_share_leaves_out_flagged_photos(counter, tmp_path, photo):
    photo.save(tmp_path / "a.png")
    photo.point(lambda value: value // 10).save(tmp_path / "b.png")
    good, odd = (counter.count(tmp_path / name) for name in ("a.png", "b.png"))
    assert odd.why
    assert counter.share("rbc", [good, odd]) == counter.share("rbc", [good])
    assert counter.share("rbc", [odd]).value == odd.by_class["rbc"].n / odd.n


def test_own_threshold_keeps_size_and_reasons(tmp_path, photo):
    counter = Counter(MODEL, threshold=0.4)
    photo.point(lambda value: value // 10).save(tmp_path / "dark.png")
    count = counter.count(tmp_path / "dark.png")
    assert count.low is None and any("darker" in reason for reason in count.why)


def test_calibrate_fits_a_detector_to_photos_it_has_not_learned_from(tmp_path, capsys):
    """The detector of any cell, which has not seen this look, on three labelled photos of it."""
    three = tmp_path / "three"
    three.mkdir()
    labelled = list_photos(ROOT / "data" / "labeled")
    for one in labelled[:3]:
        shutil.copy(one, three)
        shutil.copy(one.with_suffix(".xml"), three)
    model, out = ROOT / "models" / "cells.pth", tmp_path / "mine.pth"
    before = model.read_bytes()
    assert main.main(["calibrate", str(model), str(three), "--out", str(out)]) == 0
    assert "counts photos like these" in capsys.readouterr().out
    assert model.read_bytes() == before
    shipped = Counter(model)
    with pytest.raises(CellCountError, match="would be replaced"):
        shipped.calibrate(three, model)
    mine = shipped.calibrate(three, tmp_path / "new" / "again.pth")
    assert mine.calibration == Counter(out).calibration
    truth = [len(voc.read(one.with_suffix(".xml")).boxes) for one in labelled[3:]]
    counts, before_it = ([one.count(photo) for photo in labelled[3:]] for one in (mine, shipped))
    off = sum(abs(one.n - n) for one, n in zip(counts, truth, strict=True))
    assert off < 0.25 * sum(truth)
    wide, narrow = (
        np.median([one.high - one.low for one in some if one.low is not None])
        for some in (before_it, counts)
    )
    assert narrow < 0.85 * wide  # it was 0.72: the look is known now
    assert np.mean([one.trust == "ok" for one in counts]) > 0.8
    known = [(one, n) for one, n in zip(counts, truth, strict=True) if one.low is not None]
    assert np.mean([one.low <= n <= one.high for one, n in known]) > 0.8


def test_checkpoint_remembers_the_channel(labelled_photos, tmp_path, capsys):
    """Photos of two channels, the second of which shows the cells."""
    import tifffile

    folder = tmp_path / "photos"
    folder.mkdir()
    rng, named = np.random.default_rng(0), {"Channel": {"Name": ["TRITC", "BF"]}}
    for one in list_photos(labelled_photos)[:3]:
        grey = read_photo(one).mean(axis=2).astype(np.uint8)
        noise = rng.integers(0, 30, grey.shape, np.uint8)
        file = folder / f"{one.stem}.ome.tif"
        tifffile.imwrite(file, np.stack([noise, grey]), metadata={"axes": "CYX", **named})
        label = voc.read(one.with_suffix(".xml"))
        voc.write(file.with_suffix(".xml"), replace(label, filename=file.name))
    model, out = ROOT / "models" / "rendered.pth", tmp_path / "mine.pth"
    asked = ["calibrate", str(model), str(folder), "--out", str(out)]
    assert main.main(asked) == 1 and "--channel" in capsys.readouterr().err
    assert main.main([*asked, "--channel", "BF"]) == 0
    counter, truth = Counter(out), len(label.boxes)
    assert counter.view == View("BF")
    assert counter.count(file).n == pytest.approx(truth, rel=0.25) and truth > 10
    with pytest.raises(PhotoError, match="TRITC"):
        Counter(model).count(file)


def test_detector_that_does_not_see_the_cells_is_not_calibrated(tmp_path, capsys):
    labelled = str(ROOT / "data" / "labeled")
    model = str(ROOT / "models" / "rendered.pth")
    out = tmp_path / "mine.pth"
    assert main.main(["calibrate", model, labelled, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "Train one" in said and not out.exists()
