"""Suppression of all boxes at once against loops that take one box after the other."""

import numpy as np
import pytest

from cellcount.counting.suppression import suppress


def iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area - width * height)


def one_by_one(boxes, scores, labels, weight, least):
    """Take the best box, weaken the rest, drop what is below ``least``; again and again."""
    left, taken = dict(enumerate(scores)), []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        taken.append((best, left.pop(best)))
        for i in left:
            if labels[i] == labels[best]:
                left[i] *= weight(iou(boxes[best], boxes[i]))
        left = {i: s for i, s in left.items() if s >= least}
    return taken


def crowd(count, seed, size=60.0):
    """Random boxes in a small field, of three labels, with scores of which many are equal."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, size, (count, 2))
    boxes = np.hstack([corner, corner + random.uniform(2, 25, (count, 2))])
    return boxes, random.integers(1, 20, count) / 20, random.integers(0, 3, count)


HARD = {"type": "nms", "iou_threshold": 0.5}
LINEAR = {"type": "soft_nms", "iou_threshold": 0.4, "min_score": 0.05}
GAUSSIAN = {"type": "soft_nms", "method": "gaussian", "sigma": 0.3, "min_score": 0.1}
NAIVE = {"type": "soft_nms", "method": "naive", "iou_threshold": 0.3}
LOOPS = [
    pytest.param(HARD, lambda x: 0 if x > 0.5 else 1, 1e-9, id="hard"),
    pytest.param(LINEAR, lambda x: 1 if x < 0.4 else 1 - x, 0.05, id="linear"),
    pytest.param(GAUSSIAN, lambda x: np.exp(-(x**2) / 0.3), 0.1, id="gaussian"),
    pytest.param(NAIVE, lambda x: 1 if x < 0.3 else 0, 1e-3, id="naive"),
]


@pytest.mark.parametrize(("method", "weight", "least"), LOOPS)
def test_it_keeps_what_a_loop_keeps(method, weight, least):
    for seed in range(5):
        boxes, scores, labels = crowd(120, seed)
        kept, kept_scores = suppress(boxes, scores, labels, method)
        expected = one_by_one(boxes, scores, labels, weight, least)
        expected.sort(key=lambda one: (-round(one[1], 12), one[0]))
        found = sorted(
            zip(kept.tolist(), kept_scores.tolist(), strict=True),
            key=lambda one: (-round(one[1], 12), one[0]),
        )
        assert [i for i, _ in found] == [i for i, _ in expected]
        assert [s for _, s in found] == pytest.approx([s for _, s in expected])
        assert (np.diff(kept_scores) <= 0).all()


def test_labels_can_be_ignored():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], dtype=float)
    scores, labels = np.array([0.8, 0.9]), np.array([0, 1])
    assert suppress(boxes, scores, labels, HARD)[0].tolist() == [1, 0]
    assert suppress(boxes, scores, labels, {**HARD, "class_agnostic": True})[0].tolist() == [1]


def test_without_a_method_or_without_boxes_nothing_goes():
    boxes, scores, labels = crowd(30, seed=1)
    assert len(suppress(boxes, scores, labels, None)[0]) == 30
    kept, kept_scores = suppress(boxes[:0], scores[:0], labels[:0], LINEAR)
    assert kept.shape == kept_scores.shape == (0,)
