"""mmcv's non-maximum suppression against the textbook's loop over pairs of boxes."""

import math

import numpy as np
import pytest
import torch

from icevision_bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402

ops.accept_empty()


def iou(a, b, offset=0):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    area_a = (a[2] - a[0] + offset) * (a[3] - a[1] + offset)
    area_b = (b[2] - b[0] + offset) * (b[3] - b[1] + offset)
    return width * height / (area_a + area_b - width * height)


def greedy(boxes, scores, threshold, offset=0):
    kept = []
    for candidate in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(iou(boxes[candidate], boxes[k], offset) <= threshold for k in kept):
            kept.append(candidate)
    return kept


def soft(boxes, scores, weight, min_score, offset):
    """The loop of the Soft-NMS paper: (index, score when taken) of each box, in order."""
    left, taken = dict(enumerate(scores)), []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        taken.append((best, left.pop(best)))
        left = {i: s * weight(iou(boxes[best], boxes[i], offset)) for i, s in left.items()}
        left = {i: s for i, s in left.items() if s >= min_score}
    return taken


def crowd(count, seed, size=60.0):
    """Random boxes in a small field, with scores of which many are equal."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, size, (count, 2))
    boxes = np.hstack([corner, corner + random.uniform(2, 25, (count, 2))])
    return torch.from_numpy(boxes), torch.from_numpy(random.integers(1, 20, count) / 20)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_nms_keeps_what_the_loop_keeps(threshold, offset):
    boxes, scores = crowd(120, seed=3)
    found, kept = mmcv_ops.nms(boxes, scores, threshold, offset)
    assert kept.tolist() == greedy(boxes.tolist(), scores.tolist(), threshold, offset)
    torch.testing.assert_close(found, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_the_offset_decides_between_boxes_that_hardly_touch():
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [5.0, 0.0, 14.0, 9.0]])
    scores = torch.tensor([0.9, 0.8])
    # 36 of 126 square pixels are shared, or 50 of 150 if the last pixel belongs to the box.
    assert mmcv_ops.nms(boxes, scores, 0.3)[1].tolist() == [0, 1]
    assert mmcv_ops.nms(boxes, scores, 0.3, offset=1)[1].tolist() == [0]


def test_an_overlap_of_exactly_the_threshold_stays():
    boxes = torch.tensor([[0.0, 0.0, 4.0, 1.0], [2.0, 0.0, 4.0, 1.0]])
    assert mmcv_ops.nms(boxes, torch.tensor([0.5, 0.4]), 0.5)[1].tolist() == [0, 1]


def test_nms_takes_a_score_threshold_and_a_maximum():
    boxes, scores = crowd(80, seed=5)
    expected = [i for i in greedy(boxes.tolist(), scores.tolist(), 0.5) if scores[i] > 0.3]
    _, kept = mmcv_ops.nms(boxes, scores, 0.5, score_threshold=0.3)
    assert kept.tolist() == expected
    _, kept = mmcv_ops.nms(boxes, scores, 0.5, score_threshold=0.3, max_num=4)
    assert kept.tolist() == expected[:4]


def test_numpy_in_numpy_out():
    boxes, scores = crowd(30, seed=1)
    found, kept = mmcv_ops.nms(boxes.numpy(), scores.numpy(), 0.5)
    assert isinstance(found, np.ndarray)
    assert kept.tolist() == greedy(boxes.tolist(), scores.tolist(), 0.5)


@pytest.mark.parametrize("split_threshold", [10000, 10], ids=["together", "class by class"])
def test_batched_nms_compares_within_a_class(split_threshold):
    boxes, scores = crowd(90, seed=7)
    scores += torch.linspace(0, 1e-3, 90).double()  # mmcv itself mixes up equal scores of classes
    classes = torch.arange(90) % 3
    expected = [
        int(members[k])
        for members in (torch.nonzero(classes == c)[:, 0] for c in range(3))
        for k in greedy(boxes[members].tolist(), scores[members].tolist(), 0.3)
    ]
    config = {"type": "nms", "iou_threshold": 0.3, "split_thr": split_threshold}
    found, kept = mmcv_ops.batched_nms(boxes, scores, classes, config)
    assert kept.tolist() == sorted(expected, key=lambda i: -scores[i])
    torch.testing.assert_close(found[:, :4], boxes[kept])
    _, kept = mmcv_ops.batched_nms(boxes, scores, classes, config | {"max_num": 5})
    assert len(kept) == 5


def test_batched_nms_can_ignore_the_class():
    boxes, scores = crowd(60, seed=8)
    config = {"type": "nms", "iou_threshold": 0.3}
    _, kept = mmcv_ops.batched_nms(boxes, scores, torch.arange(60) % 4, config, class_agnostic=True)
    assert kept.tolist() == greedy(boxes.tolist(), scores.tolist(), 0.3)


WEIGHTS = {
    "naive": lambda o: 0.0 if o >= 0.3 else 1.0,
    "linear": lambda o: 1 - o if o >= 0.3 else 1.0,
    "gaussian": lambda o: math.exp(-(o**2) / 0.4),
}


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", WEIGHTS)
def test_soft_nms_equals_the_papers_loop(method, offset):
    boxes, scores = crowd(100, seed=11)
    expected = soft(boxes.tolist(), scores.tolist(), WEIGHTS[method], 0.1, offset)
    found, kept = mmcv_ops.soft_nms(boxes, scores, 0.3, 0.4, 0.1, method, offset)
    assert kept.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(found[:, :4], boxes[kept])
    torch.testing.assert_close(found[:, 4], torch.tensor([s for _, s in expected]).double())


def test_soft_nms_with_a_threshold_of_zero_weakens_boxes_that_do_not_touch():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [50.0, 50.0, 60.0, 60.0]])
    found, _ = mmcv_ops.soft_nms(boxes, torch.tensor([0.9, 0.8]), 0.0, method="naive")
    assert found[:, 4].tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("scores", [[0.9, 0.8], [0.8, 0.9]])
def test_soft_nms_sees_boxes_that_only_touch_by_the_offset(scores):
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [9.5, 0.0, 18.5, 9.0]])
    found, _ = mmcv_ops.soft_nms(boxes, torch.tensor(scores), 0.01, offset=1)
    # Half of a column of ten is shared: 5 of 100 + 100 - 5 square pixels.
    assert found[:, 4].tolist() == pytest.approx([0.9, 0.8 * (1 - 5 / 195)])


def test_nms_match_takes_an_overlap_of_exactly_the_threshold():
    boxes = torch.tensor([[0.0, 0.0, 4.0, 1.0, 0.9], [2.0, 0.0, 4.0, 1.0, 0.8]])
    assert [group.tolist() for group in mmcv_ops.nms_match(boxes, 0.5)] == [[0, 1]]


def test_nms_match_groups_each_box_with_those_it_suppresses():
    boxes, scores = crowd(100, seed=13)
    free = sorted(range(100), key=lambda i: (-scores[i], i))
    expected = []
    while free:
        best, *rest = free
        gone = [i for i in rest if iou(boxes[best].tolist(), boxes[i].tolist()) >= 0.4]
        expected.append([best, *gone])
        free = [i for i in rest if i not in gone]
    found = mmcv_ops.nms_match(torch.cat([boxes, scores[:, None]], 1), 0.4)
    assert [group.tolist() for group in found] == expected


def test_no_boxes():
    boxes, scores = torch.zeros(0, 4), torch.zeros(0)
    for found, kept in (
        mmcv_ops.nms(boxes, scores, 0.5, score_threshold=0.1, max_num=3),
        mmcv_ops.soft_nms(boxes, scores),
        mmcv_ops.batched_nms(boxes, scores, scores.long(), {"type": "nms", "iou_threshold": 0.5}),
    ):
        assert found.shape == (0, 5)
        assert kept.shape == (0,)
        assert kept.dtype == torch.long
    assert mmcv_ops.nms_match(torch.zeros(0, 5), 0.5) == []


def test_boxes_in_16_bit_are_compared_in_more():
    # In bfloat16 these areas and their union round to an IoU of 0.5.
    boxes = torch.tensor([[0.0, 0.0, 258.0, 1.0], [0.0, 0.0, 130.0, 1.0]]).bfloat16()
    _, kept = mmcv_ops.nms(boxes, torch.tensor([0.9, 0.8]).bfloat16(), 0.502)
    assert kept.tolist() == [0]


@pytest.mark.parametrize("operation", ["nms", "soft_nms"])
def test_a_large_field_of_separate_boxes_comes_back_whole(operation):
    grid = torch.cartesian_prod(torch.arange(100), torch.arange(200)).float() * 30
    boxes = torch.cat([grid, grid + 20], 1)
    scores = torch.rand(len(boxes), generator=torch.Generator().manual_seed(0)) * 0.9 + 0.1
    found, kept = getattr(mmcv_ops, operation)(boxes, scores, 0.5)
    assert sorted(kept.tolist()) == list(range(20_000))
    assert found[:, 4].tolist() == sorted(scores.tolist(), reverse=True)


@pytest.mark.parametrize("mode", ["iou", "iof"])
@pytest.mark.parametrize("offset", [0, 1])
def test_overlaps_of_all_and_of_aligned_boxes(mode, offset):
    first, second = crowd(7, seed=1)[0], crowd(5, seed=2)[0]

    def overlap(a, b):
        if mode == "iou":
            return iou(a, b, offset)
        area = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
        share = iou(a, b, offset)
        return share * sum(area) / (1 + share) / area[0]

    expected = torch.tensor([[overlap(a, b) for b in second.tolist()] for a in first.tolist()])
    found = mmcv_ops.bbox_overlaps(first, second, mode, offset=offset)
    torch.testing.assert_close(found, expected.double())
    aligned = mmcv_ops.bbox_overlaps(first[:5], second, mode, aligned=True, offset=offset)
    torch.testing.assert_close(aligned, expected.diagonal().double())


def test_overlap_of_boxes_smaller_than_a_pixel():
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.25]])
    assert mmcv_ops.bbox_overlaps(boxes, boxes).tolist() == [[1, 0.5], [0.5, 1]]


def test_whole_numbers_are_refused_and_not_rounded():
    boxes = torch.tensor([[0, 0, 10, 10]])
    with pytest.raises(TypeError, match="bbox_overlaps takes floating-point"):
        mmcv_ops.bbox_overlaps(boxes, boxes)
