"""Fine-tuning: all photos are learned from, calibration by who has not seen them, stops go on."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellcount.bars import Bar
from cellcount.calibration.matching import Prediction
from cellcount.counting.counter import Counter
from cellcount.detector import finetuning, head_start, predicting
from cellcount.detector.finetuning import finetune, folds_of, learn_all, recipe_for
from cellcount.detector.recipe import Recipe
from cellcount.errors import CellCountError
from cellcount.labels import voc
from tests.conftest import ROOT

SMALL = Recipe(size=96, crop=96, angle=180, steps=8)


@pytest.fixture
def photos(tmp_path):
    """Five labelled photos of blood."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in sorted((ROOT / "data" / "labeled").glob("*.png"))[:5]:
        shutil.copy(photo, folder)
        shutil.copy(photo.with_suffix(".xml"), folder)
    return folder


@pytest.fixture
def trainings(monkeypatch):
    """The names of the photos of each training, in turn."""
    seen = []
    train = finetuning.trained

    def noted(records, *args, **kwargs):
        seen.append({Path(record.filepath).stem for record in records})
        return train(records, *args, **kwargs)

    monkeypatch.setattr(finetuning, "trained", noted)
    return seen


def _sees(monkeypatch, scores=None):
    """Let every detector find the labels and some clutter; or so many labels, with these scores."""

    def predict(_, records, __):
        found = []
        for record in records:
            labels = np.array([box.xyxy for box in record.detection.bboxes], dtype=float)
            boxes, given = np.vstack([labels, labels[:3] + 40]), scores
            if given is None:
                given = np.r_[np.linspace(0.5, 0.9, len(labels)), [0.1] * 3]
            name = Path(record.filepath).name
            found.append(Prediction(name, boxes[: len(given)], np.array(given), labels))
        return found

    monkeypatch.setattr(predicting, "predict", predict)


@pytest.fixture
def bars(monkeypatch):
    """The bars that show how far trainings are."""
    made = []

    def noted(**kwargs):
        made.append(Bar(**kwargs))
        return made[-1]

    monkeypatch.setattr(finetuning, "Bar", noted)
    return made


def test_all_are_learned_from_and_each_is_judged_by_who_has_not_seen_it(
    short, photos, trainings, bars, monkeypatch
):
    _sees(monkeypatch)
    trained = learn_all(photos, recipe=SMALL)
    assert [bar.n for bar in bars] == [bar.total for bar in bars]
    names = {photo.stem for photo in photos.glob("*.png")}
    *folds, last = trainings
    assert last == names
    left_out = [names - fold for fold in folds]
    assert len(folds) == 3
    assert sorted(name for fold in left_out for name in fold) == sorted(names)
    assert len(trained.calibration.labelled) == 5
    labelled = [xml.read_text().count("<object>") for xml in sorted(photos.glob("*.xml"))]
    assert list(trained.calibration.labelled) == labelled


def test_one_photo_is_judged_by_its_quarters(short, photos, trainings, bars, monkeypatch):
    _sees(monkeypatch)
    (first, *_) = sorted(photos.glob("*.png"))
    trained = learn_all(photos, photos=[first], recipe=SMALL)
    assert [bar.n for bar in bars] == [bar.total for bar in bars]
    assert [len(names) for names in trainings] == [2, 2, 1]
    assert trainings[0].isdisjoint(trainings[1])
    assert trainings[2] == {first.stem}
    assert len(trained.calibration.labelled) == 1


def test_stopped_training_goes_on_with_the_same_call(short, photos, tmp_path, monkeypatch):
    out = tmp_path / "m.pth"
    steps, stop = [], [3]
    step = finetuning.trained

    def stopped(*args, **kwargs):
        if len(steps) == stop[0]:
            raise KeyboardInterrupt
        steps.append(kwargs["seed"])
        return step(*args, **kwargs)

    monkeypatch.setattr(finetuning, "trained", stopped)
    _sees(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        finetune(photos, out, recipe=SMALL)
    assert steps == [1, 2, 3] and not out.exists()
    stop[0] = 10
    finetune(photos, out, recipe=SMALL)
    assert steps == [1, 2, 3, 0]  # what was trained is not trained again
    assert out.exists() and not list(tmp_path.glob(".m-training*"))
    # Other labels are another training.
    stop[0] = 5
    with pytest.raises(KeyboardInterrupt):
        finetune(photos, out, recipe=SMALL)
    xml = min(photos.glob("*.xml"))
    xml.write_text(xml.read_text().replace("<xmin>0<", "<xmin>1<"))
    stop[0] = 20
    finetune(photos, out, recipe=SMALL)
    assert steps[5:] == [1, 2, 3, 0]


def test_detector_that_has_found_nothing_is_kept_and_says_so(
    short, photos, tmp_path, capsys, monkeypatch
):
    _sees(monkeypatch, [])
    out = finetune(photos, tmp_path / "m.pth", recipe=SMALL)
    assert "kept, but cannot count yet" in capsys.readouterr().out
    with pytest.raises(CellCountError, match="threshold"):
        Counter(out)
    assert Counter(out, threshold=0.99).count(min(photos.glob("*.png"))).n == 0


def test_calibration_that_explains_nothing_is_not_written(
    short, photos, tmp_path, capsys, monkeypatch
):
    """As of three photos of nuclei, of which one had no box: every photo was counted 0 (0 to 1)."""
    _sees(monkeypatch, [0.06, 0.055])
    out = finetune(photos, tmp_path / "m.pth", recipe=SMALL)
    assert "without an interval" in capsys.readouterr().out
    counter = Counter(out)
    assert counter.calibration is None
    assert counter.threshold < 0.06


def test_slow_computer_takes_fewer_steps_and_says_so(short, photos, monkeypatch, trainings, capsys):
    monkeypatch.setattr(finetuning, "seconds_a_step", lambda *_: 2.0)
    _sees(monkeypatch)
    trained = learn_all(photos, recipe=replace(SMALL, steps=600), minutes=1)
    assert trained.recipe.steps == int(60 / 2.0 / (1 + 0.4 * 3))
    assert "too short for all of 600 steps" in capsys.readouterr().out


def test_head_start_is_the_one_that_finds_the_cells(icevision, labelled_photos):
    assert recipe_for(ROOT / "data" / "labeled").head_start == head_start.CELLS
    assert recipe_for(labelled_photos).head_start == head_start.SHIPPED


def test_few_photos_teach_a_detector_of_any_cell(icevision, photos, labelled_photos):
    few = recipe_for(photos)
    assert few.head_start == head_start.CELLS
    assert (few.cell_side, few.tile, few.steps) == (50, None, 400)
    assert recipe_for(photos, size=256).cell_side is None  # what is asked for by hand
    assert recipe_for(ROOT / "data" / "labeled").cell_side is None  # seventeen photos
    assert recipe_for(photos, steps=7).steps == 7
    first = min(photos.glob("*.xml"))
    label = voc.read(first)
    voc.write(first, replace(label, boxes=label.boxes[:10]))  # the fewer cells, the fewer steps
    assert Recipe.of_few([first.with_suffix(".png")]).steps == 200


@pytest.fixture
def two_of_one_class(photos):
    """Two labelled photos, whose cells are of one class, as those of the head start are."""
    one, two, *others = sorted(photos.glob("*.xml"))
    for other in others:
        other.unlink()
    for xml in (one, two):
        xml.write_text(xml.read_text().replace("rbc", "cell").replace("wbc", "cell"))
    return photos


def test_few_photos_are_calibrated_as_they_are_counted(
    short, two_of_one_class, trainings, tmp_path, monkeypatch
):
    monkeypatch.setattr(finetuning, "as_it_is", lambda *_: None)
    recipe = recipe_for(two_of_one_class, steps=8)
    out = finetune(two_of_one_class, tmp_path / "m.pth", recipe=recipe)
    assert [len(names) for names in trainings] == [1, 1, 2]
    counter = Counter(out)
    photo = min(two_of_one_class.glob("*.png"))
    count = counter.count(photo)
    assert count.tile is not None  # it was looked at from nearer or farther
    assert count.low <= count.n <= count.high and count.n > 5


@pytest.mark.usefixtures("short")
def test_what_training_does_not_find_better_is_only_calibrated(
    two_of_one_class, trainings, tmp_path, monkeypatch, capsys
):
    import torch

    worse = Prediction("a", np.array([[0.0, 0, 9, 9]]), np.array([0.9]), np.array([[50.0] * 4]))
    monkeypatch.setattr(finetuning, "cross_fit", lambda shown, *_, **__: [worse] * len(shown))
    recipe = recipe_for(two_of_one_class, steps=8)
    out = finetune(two_of_one_class, tmp_path / "m.pth", recipe=recipe)
    assert "only how to count" in capsys.readouterr().out and not trainings
    made, start = (torch.load(file, weights_only=True) for file in (out, head_start.CELLS))
    assert all(
        torch.equal(made["state_dict"][name], one) for name, one in start["state_dict"].items()
    )
    labelled = [xml.read_text().count("<object>") for xml in sorted(two_of_one_class.glob("*.xml"))]
    assert made["meta"]["calibration"]["labelled"] == labelled
    assert Counter(out).count(min(two_of_one_class.glob("*.png"))).n > 5


@pytest.mark.usefixtures("short")
def test_few_cells_leave_the_detector_and_how_it_counts_as_they_are(
    two_of_one_class, trainings, tmp_path, capsys
):
    for xml in two_of_one_class.glob("*.xml"):
        label = voc.read(xml)
        voc.write(xml, replace(label, boxes=label.boxes[:4]))
    recipe = Recipe.of_few(sorted(two_of_one_class.glob("*.png"))[:2], head_start=head_start.CELLS)
    out = finetune(two_of_one_class, tmp_path / "m.pth", recipe=recipe)
    assert "8 cells are too few to learn from" in capsys.readouterr().out and not trainings
    photo = min(two_of_one_class.glob("*.png"))
    as_before, count = (Counter(model).count(photo) for model in (head_start.CELLS, out))
    assert (count.n, count.low, count.high) == (as_before.n, as_before.low, as_before.high)


def test_head_start_is_the_best_one_unless_none_is_of_use():
    label = np.array([[0.0, 0, 9, 9], [20, 0, 29, 9]])
    nothing = Prediction("a", np.empty((0, 4)), np.empty(0), label)
    one = Prediction("a", label[:1], np.array([0.9]), label)
    assert head_start.best_of({Path("a"): [nothing]}) is None
    assert head_start.best_of({Path("a"): [nothing], Path("b"): [one]}) == Path("b")  # F1 2/3


def test_photos_of_several_sizes_are_learned_from_and_judged_in_tiles(
    short, photos, trainings, tmp_path
):
    from PIL import Image

    # Four photos side by side: its cells are as large as those of the others.
    small = sorted(photos.glob("*.png"))[0]
    wide = Image.new("RGB", (1024, 256))
    for left in range(0, 1024, 256):
        wide.paste(Image.open(small).convert("RGB"), (left, 0))
    wide.save(photos / "wide.png")
    boxes = voc.read(small.with_suffix(".xml")).boxes
    repeated = tuple(
        replace(box, xmin=box.xmin + left, xmax=box.xmax + left)
        for left in range(0, 1024, 256)
        for box in boxes
    )
    label = voc.Annotation("wide.png", 1024, 256, repeated)
    voc.write(photos / "wide.xml", label)
    recipe = recipe_for(photos, steps=8)
    assert (recipe.tile, recipe.size) == (256, 256)
    trained = learn_all(photos, recipe=recipe)
    assert len(trained.calibration.labelled) == 6
    assert max(trained.calibration.labelled) == 4 * len(boxes)
    assert sum(name.startswith("wide-") for name in trainings[-1]) >= 5
    out = tmp_path / "m.pth"
    finetuning.save(trained, out)
    counter = Counter(out)
    assert counter.tile == 256
    whole, tiles = counter.find(photos / "wide.png", tile=1024), counter.find(photos / "wide.png")
    assert not np.array_equal(whole.boxes, tiles.boxes)
    assert len(counter.find(photos / "wide.png", tile=256).boxes) == len(tiles.boxes)


@pytest.mark.parametrize(
    ("photos", "sizes"), [(1, [1, 1]), (2, [1, 1]), (3, [1] * 3), (7, [3, 2, 2])]
)
def test_folds_share_the_photos(photos, sizes):
    folds = folds_of(photos, seed=5)
    assert [len(fold) for fold in folds] == sizes
    assert sorted(i for fold in folds for i in fold) == list(range(max(photos, 2)))
