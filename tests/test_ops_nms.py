"""mmcv's non-maximum suppression against the textbook's loop over pairs of boxes."""

import numpy as np
import pytest
import torch

from cellcount.bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402


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
