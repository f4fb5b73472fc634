"""Boxes against labels and counts against counts, checked by brute force and by pycocotools."""

import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import mean_absolute_percentage_error, r2_score

from cellcount.calibration.accuracy import count_accuracy, curve
from cellcount.calibration.matching import Match, Prediction, match
from cellcount.counting.count import Count, Number
from cellcount.errors import CellCountError
from cellcount.judging.evaluation import COCO_IOUS, average_precision, evaluate
from cellcount.labels.boxes import box_iou


def boxes_on_a_grid(rng, n):
    """Whole-pixel boxes, so close together that overlaps and ties are common."""
    corner = rng.integers(0, 40, (n, 2)) * 2
    return np.hstack([corner, corner + rng.integers(2, 9, (n, 2)) * 2]).astype(float)


def crowded(rng, photo, labels, boxes, classes=None):
    """A photo whose boxes are labels, shifted labels and nonsense, with scores that often tie."""
    truth = boxes_on_a_grid(rng, labels)
    found = boxes_on_a_grid(rng, boxes)
    near = min(labels, boxes * 2 // 3)
    found[:near] = truth[:near] + rng.integers(-2, 3, (near, 4)) * rng.integers(0, 2, (near, 1))
    scores = rng.integers(1, 20, boxes) / 20
    if classes is None:
        return Prediction(photo, found, scores, truth)
    names = np.array(classes)
    return Prediction(
        photo, found, scores, truth, names[rng.integers(len(names), size=boxes)],
        names[rng.integers(len(names) - 1, size=labels)],
    )  # fmt: skip


def _count(n, low, high):
    return Count("a", n, np.empty((0, 4)), np.empty(0), low, high)


def iou_by_hand(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def match_by_hand(photo, threshold):
    """The rule as a loop: surest box first, best free label of its class, the last of equals."""
    taken = {}
    for box in sorted(range(len(photo.scores)), key=lambda i: -photo.scores[i]):
        best, which = threshold, None
        for label in range(len(photo.labels)):
            if label in taken.values():
                continue
            classes = photo.box_classes, photo.label_classes
            if classes[0] is not None and classes[0][box] != classes[1][label]:
                continue
            iou = iou_by_hand(photo.boxes[box], photo.labels[label])
            if iou >= best:
                best, which = iou, label
        if which is not None:
            taken[box] = which
    return [taken.get(box, -1) for box in range(len(photo.scores))]


def test_iou():
    iou = box_iou([[0, 0, 10, 10], [0, 0, 0, 0]], [[5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 0, 0]])
    assert iou.tolist() == [[pytest.approx(1 / 3), 0, 0], [0, 0, 0]]
    rng = np.random.default_rng(0)
    a, b = boxes_on_a_grid(rng, 40), boxes_on_a_grid(rng, 30)
    assert np.array_equal(box_iou(a, b), [[iou_by_hand(x, y) for y in b] for x in a])
    assert box_iou(np.empty((0, 4)), b).shape == (0, 30)


@pytest.mark.parametrize("classes", [None, ["alga", "ciliate", "stain"]])
@pytest.mark.parametrize("iou", [0.3, 0.5, 0.75])
def test_matching_is_the_brute_force_one(iou, classes):
    rng = np.random.default_rng(1)
    for labels, boxes in [(30, 60), (60, 30), (1, 5), (0, 4), (4, 0), (80, 150)]:
        photo = crowded(rng, "a", labels, boxes, classes)
        found = match(photo, iou)
        assert found.label_of.tolist() == match_by_hand(photo, iou)
        assert found.labelled == labels
        assert len(found.misses) + found.matched.sum() == labels
        assert not set(found.misses) & set(found.label_of)
        assert len(found.false_alarms) + found.matched.sum() == boxes


def test_second_box_on_a_cell_is_a_false_alarm():
    cell = [10, 10, 50, 20]
    photo = Prediction(
        "a", np.array([cell, cell, [0, 0, 5, 5]]), np.array([0.5, 0.9, 0.7]), np.array([cell])
    )
    assert match(photo).label_of.tolist() == [-1, 0, -1]
    assert match(photo).false_alarms.tolist() == [0, 2]


def test_of_equally_good_labels_the_last_is_taken():
    box = np.array([[2.0, 0, 12, 10]])
    labels = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10]])  # both overlap by 8 of 12
    for order in ([0, 1], [1, 0]):
        assert match(Prediction("a", box, np.ones(1), labels[order])).label_of.tolist() == [1]


def coco_average_precision(photos):
    """What pycocotools says, class by class averaged, with no limit on boxes that we could meet."""
    names = sorted({name for photo in photos for name in photo.label_classes.tolist()})
    truth, found = [], []
    for image, photo in enumerate(photos, start=1):
        for box, name in zip(photo.labels, photo.label_classes, strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            one = {"image_id": image, "category_id": names.index(name) + 1, "bbox": [x, y, w, h]}
            truth.append({**one, "id": len(truth) + 1, "area": w * h, "iscrowd": 0})
        for box, score, name in zip(photo.boxes, photo.scores, photo.box_classes, strict=True):
            if name in names:  # COCO has no place for boxes of a class that nobody labelled
                corner = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                found.append(
                    {"image_id": image, "category_id": names.index(name) + 1, "bbox": corner}
                    | {"score": score}
                )
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(1, len(photos) + 1)],
        "annotations": truth,
        "categories": [{"id": number} for number in range(1, len(names) + 1)],
    }
    coco.createIndex()
    judge = COCOeval(coco, coco.loadRes(found), "bbox")
    judge.params.maxDets = [1000]
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    judge.evaluate()
    judge.accumulate()
    precision = judge.eval["precision"]  # IoU, recall, class, area, limit
    return precision.mean(axis=(1, 2, 3, 4))


@pytest.mark.parametrize("classes", [["cell", "none labelled"], ["alga", "ciliate", "stain"]])
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_pycocotools(seed, classes):
    rng = np.random.default_rng(seed)
    sizes = [(140, 260), (20, 30), (0, 12), (15, 0), (0, 0), (60, 50)]
    photos = [crowded(rng, str(i), *size, classes) for i, size in enumerate(sizes)]
    ours = average_precision(photos)
    assert ours == pytest.approx(coco_average_precision(photos), abs=1e-9)
    assert 0.01 < ours[-1] < ours[0] < 0.9
    if len(classes) == 2:
        plain = [photo.only("cell") for photo in photos]
        assert average_precision(plain) == pytest.approx(ours)


def test_average_precision_needs_labels_and_survives_no_boxes():
    none, some = np.empty((0, 4)), np.array([[0.0, 0, 9, 9]])
    assert average_precision([Prediction("a", none, np.empty(0), some)]).tolist() == [0] * 10
    assert average_precision([Prediction("a", some, np.ones(1), some)]).tolist() == [1] * 10
    with pytest.raises(CellCountError, match="label"):
        average_precision([Prediction("a", some, np.ones(1), none)])
    assert COCO_IOUS.round(2).tolist()[::9] == [0.5, 0.95]


def test_curve_is_what_each_threshold_gives():
    rng = np.random.default_rng(5)
    photos = [crowded(rng, "a", 50, 90), crowded(rng, "b", 30, 40), crowded(rng, "c", 0, 7)]
    drawn = curve([match(photo, 0.3) for photo in photos])
    assert (np.diff(drawn.threshold) < 0).all()
    assert len(drawn.threshold) == len({score for photo in photos for score in photo.scores})
    for threshold, precision, recall, f1 in zip(
        drawn.threshold, drawn.precision, drawn.recall, drawn.f1, strict=True
    ):
        result = evaluate(photos, threshold)  # matches anew and counts
        kept = [photo.scores > threshold for photo in photos]
        hits = sum(
            sum(label >= 0 for label in match_by_hand(only_some(photo, keep), 0.3))
            for photo, keep in zip(photos, kept, strict=True)
        )
        boxes = sum(keep.sum() for keep in kept)
        assert (precision, recall) == (hits / boxes, hits / 80)
        assert f1 == pytest.approx(2 / (1 / precision + 1 / recall))
        assert (result.precision, result.recall, result.f1) == (precision, recall, f1)
    result = evaluate(photos, drawn.best_threshold)
    assert result.f1 == max(drawn.f1)
    assert (result.ap50, result.ap) == (
        average_precision(photos)[0],
        average_precision(photos).mean(),
    )


def only_some(photo, keep):
    return Prediction(photo.photo, photo.boxes[keep], photo.scores[keep], photo.labels)


def test_best_threshold_lies_between_cells_and_clutter():
    found = Match(np.array([0.3, 0.6, 0.5, 0.2]), np.array([-1, 1, 0, -1]), 2)
    assert curve([found]).best_threshold == pytest.approx(0.4)
    # F1 is 1/2 with one, five and all nine boxes, and less between.
    scores = np.arange(9, 0, -1) / 10
    label_of = np.full(9, -1)
    label_of[[0, 4, 8]] = 0, 1, 2
    assert curve([Match(scores, label_of, 3)]).best_threshold == pytest.approx(0.45)
    lone = Match(np.array([0.6]), np.array([0]), 1)
    assert curve([lone]).best_threshold == pytest.approx(0.3)


def test_curve_says_what_is_missing():
    with pytest.raises(CellCountError, match="labelled"):
        curve([Match(np.array([0.5]), np.array([-1]), 0)])
    with pytest.raises(CellCountError, match="found nothing"):
        curve([Match(np.empty(0), np.empty(0, int), 3)])


def test_count_accuracy():
    labelled, predicted = [100, 50, 0, 20], [90, 55, 1, 20]
    result = count_accuracy(predicted, labelled)
    assert (result.photos, result.without_cells) == (4, 1)
    assert result.mean_absolute_error == 4
    some = [0, 1, 3]
    expected = mean_absolute_percentage_error(
        [labelled[i] for i in some], [predicted[i] for i in some]
    )
    assert result.mape == pytest.approx(100 * expected) == pytest.approx(20 / 3)
    assert result.bias == -1
    sd = math.sqrt(sum((error + 1) ** 2 for error in (-10, 5, 1, 0)) / 3)
    assert result.limits == pytest.approx((-1 - 1.96 * sd, -1 + 1.96 * sd))
    assert result.r2 == pytest.approx(r2_score(labelled, predicted))


def test_count_accuracy_leaves_undefined_what_is():
    one = count_accuracy([3], [0])
    assert one.bias == 3
    assert np.isnan([one.mape, *one.limits, one.r2]).all()
    with pytest.raises(ValueError, match="2 counts for 1"):
        count_accuracy([1, 2], [1])
    with pytest.raises(ValueError, match="0 labelled"):
        count_accuracy([], [])


@pytest.fixture
def two_photos():
    cells = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])
    kinds = np.array(["alga", "alga", "ciliate"])
    stain = np.array([[70.0, 70, 80, 80]])
    return [
        Prediction(
            "a", np.vstack([cells, stain]), np.array([0.9, 0.8, 0.3, 0.6]), cells,
            np.array(["alga", "ciliate", "ciliate", "alga"]), kinds,
        ),
        Prediction("b", cells[:1], np.array([0.4]), cells[:1], kinds[:1], kinds[:1]),
    ]  # fmt: skip


def test_evaluation_of_two_photos(two_photos):
    result = evaluate(two_photos, [0.5, 0.2])
    first, second = result.rows()
    assert first == {
        "photo": "a", "labelled": 3, "predicted": 3, "error": 0,
        "matched": 1, "false alarms": 2, "misses": 2,
        "labelled alga": 2, "predicted alga": 2, "labelled ciliate": 1, "predicted ciliate": 1,
    }  # fmt: skip
    assert list(second) == list(first)
    assert (second["matched"], second["predicted ciliate"]) == (1, 0)
    assert (result.precision, result.recall, result.f1) == (2 / 4, 2 / 4, 2 / 4)
    assert result.covered is result.width is None
    summary = result.summary()
    assert summary["mape"] == summary["mean_absolute_error"] == summary["bias"] == 0
    assert summary["ap50"] == summary["ap"] == pytest.approx(average_precision(two_photos)[0])
    assert {type(value) for value in summary.values()} <= {int, float}


def test_classes_are_judged_one_by_one(two_photos):
    result = evaluate(two_photos, [0.5, 0.2])
    alga, ciliate = result.by_class["alga"], result.by_class["ciliate"]
    assert (alga.labelled, alga.predicted, alga.off) == (3, 3, 0)
    assert (ciliate.labelled, ciliate.predicted, ciliate.off) == (1, 1, 0)
    assert np.mean([alga.ap50, ciliate.ap50]) == pytest.approx(result.ap50)
    assert (alga.labelled_share, alga.share, alga.covered) == (3 / 4, 3 / 4, None)
    # Of the three algae two were found, one as ciliate was; the ciliate was missed; a stain.
    assert result.confusion.classes == ("alga", "ciliate")
    assert result.confusion.table.tolist() == [[2, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert result.confusion.rows()[0] == {
        "labelled as": "alga", "found as alga": 2, "found as ciliate": 1, "missed": 0,
    }  # fmt: skip
    assert result.summary()["ciliate off"] == 0


def test_counts_of_classes_take_the_place_of_their_boxes(two_photos):
    numbers = {"alga": Number(4, 3, 6), "ciliate": Number(1, 1, 1)}
    count = Count("a", 5, np.empty((0, 4)), np.empty(0), 4, 7, np.empty(0, str), numbers)
    result = evaluate(two_photos[:1], 0.5, counts=[count])
    row = result.rows()[0]
    assert (row["predicted alga"], row["alga low"], row["alga high"]) == (4, 3, 6)
    alga = result.by_class["alga"]
    assert (alga.off, alga.share, alga.covered) == (100, 4 / 5, 0)
    assert result.by_class["ciliate"].covered == 1


def test_counts_of_a_calibration_take_the_place_of_boxes(two_photos):
    photos = [*two_photos, two_photos[1]]
    result = evaluate(photos, 0.5, counts=[_count(5, 4, 7), _count(1, 0, 1), _count(0, 0, 0)])
    assert [row["error"] for row in result.rows()] == [2, 0, -1]
    assert [(row["low"], row["high"]) for row in result.rows()] == [(4, 7), (0, 1), (0, 0)]
    assert result.covered == result.summary()["covered"] == 1
    assert result.width == result.summary()["width"] == pytest.approx(100 * 3 / 5)
    assert result.counts.bias == pytest.approx(1 / 3)
    assert result.precision == 1 / 3  # of the boxes above 0.5


def test_score_at_the_threshold_is_no_cell(two_photos):
    assert evaluate(two_photos, 0.4).rows()[1]["predicted"] == 0
    assert evaluate(two_photos, 0.39).rows()[1]["predicted"] == 1


def test_evaluation_without_any_box_above_the_threshold(two_photos):
    result = evaluate(two_photos, 0.95)
    assert np.isnan(result.precision)
    assert (result.recall, result.f1, result.counts.mape) == (0, 0, 100)


def test_evaluation_refuses_what_does_not_fit(two_photos):
    with pytest.raises(ValueError):
        evaluate(two_photos, [0.5, 0.5, 0.5])
    with pytest.raises(ValueError):
        evaluate(two_photos, 0.5, counts=[_count(1, 1, 1)])
    box = np.array([[0.0, 0, 9, 9]])
    with pytest.raises(ValueError, match="1 boxes have 2 scores"):
        Prediction("a", box, np.ones(2), box)
    with pytest.raises(ValueError, match="both, or neither"):
        Prediction("a", box, np.ones(1), box, np.array(["alga"]))
    with pytest.raises(ValueError, match="2 classes"):
        Prediction("a", box, np.ones(1), box, np.array([1]), np.array([1, 2]))
    with pytest.raises(ValueError, match="no classes"):
        Prediction("a", box, np.ones(1), box).only("alga")
