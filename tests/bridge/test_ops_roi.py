"""mmcv's pooling of regions against loops over regions, bins and samples, in float64."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from icevision_bridge import ops

ops.install()

import mmcv.ops as mmcv_ops  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    """On tensors this small, threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SCALE = 0.8
REGIONS = torch.tensor(
    [
        [0, 1.2, 0.7, 6.3, 5.9],
        [1, -3.1, -2.2, 3.4, 3.0],  # over the upper left rim
        [1, 2.5, 2.4, 9.0, 10.3],  # over the lower right rim
        [0, 2.1, 2.2, 2.3, 2.4],  # smaller than a pixel
        [0, 1.1, 0.8, 6.2, 5.7],  # samples as many points as the first
    ],
    dtype=torch.float64,
)
SIZE = (2, 3)


def maps(seed=0):
    values = np.random.default_rng(seed).normal(size=(2, 2, 6, 5))
    return torch.from_numpy(values).requires_grad_()


def sample(plane, y, x):
    """Bilinear value; the rim's value holds for one more pixel outwards, then comes 0."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = math.floor(y), math.floor(x)
    return sum(
        (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row, column]
        for row, column in product((top, top + 1), (left, left + 1))
        if row < height and column < width
    )


def align_loop(features, ratio, pool, aligned):
    features = features.detach().numpy()
    result = np.zeros((len(REGIONS), features.shape[1], *SIZE))
    for k, (image, *corners) in enumerate(REGIONS.tolist()):
        x1, y1, x2, y2 = (c * SCALE - (0.5 if aligned else 0) for c in corners)
        extent = (y2 - y1, x2 - x1) if aligned else (max(y2 - y1, 1), max(x2 - x1, 1))
        step = [length / bins for length, bins in zip(extent, SIZE, strict=True)]
        points = [ratio or math.ceil(length) for length in step]
        for c, i, j in product(range(features.shape[1]), *map(range, SIZE)):
            values = [
                sample(
                    features[int(image), c],
                    y1 + (i + (u + 0.5) / points[0]) * step[0],
                    x1 + (j + (v + 0.5) / points[1]) * step[1],
                )
                for u, v in np.ndindex(*points)
            ]
            result[k, c, i, j] = max(values) if pool == "max" else sum(values) / len(values)
    return torch.from_numpy(result)


def pool_loop(features):
    features = features.detach().numpy()
    result = np.zeros((len(REGIONS), features.shape[1], *SIZE))
    for k, (image, left, top, right, bottom) in enumerate(REGIONS.tolist()):
        x1, y1, x2, y2 = (edge * SCALE for edge in (left, top, right + 1, bottom + 1))
        for i, j in product(*map(range, SIZE)):
            rows = slice(
                max(math.floor(y1 + i * (y2 - y1) / SIZE[0]), 0),
                max(math.ceil(y1 + (i + 1) * (y2 - y1) / SIZE[0]), 0),
            )
            columns = slice(
                max(math.floor(x1 + j * (x2 - x1) / SIZE[1]), 0),
                max(math.ceil(x1 + (j + 1) * (x2 - x1) / SIZE[1]), 0),
            )
            window = features[int(image), :, rows, columns]
            result[k, :, i, j] = window.max((1, 2)) if window.size else 0
    return torch.from_numpy(result)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_roi_align_equals_the_loop_and_its_gradient_is_right(pool, ratio, aligned):
    layer = mmcv_ops.RoIAlign(SIZE, SCALE, ratio, pool, aligned)
    features = maps()
    found = layer(features, REGIONS)
    torch.testing.assert_close(found, align_loop(features, ratio, pool, aligned))
    assert torch.autograd.gradcheck(layer, (features, REGIONS))


def test_roi_pool_equals_the_loop_and_its_gradient_is_right():
    layer = mmcv_ops.RoIPool(SIZE, SCALE)
    features = maps()
    torch.testing.assert_close(layer(features, REGIONS), pool_loop(features))
    assert torch.autograd.gradcheck(layer, (features, REGIONS))


LAYERS = {
    "average": lambda: mmcv_ops.RoIAlign(SIZE, SCALE),
    "maximum": lambda: mmcv_ops.RoIAlign(SIZE, SCALE, pool_mode="max"),
    "pool": lambda: mmcv_ops.RoIPool(SIZE, SCALE),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_no_regions(layer):
    features = maps()
    found = LAYERS[layer]()(features, REGIONS[:0])
    assert found.shape == (0, 2, *SIZE)
    found.sum().backward()
    assert torch.count_nonzero(features.grad) == 0


NOWHERE = {
    "outside of the map": ("average maximum pool", [1.0, 40, 40, 50, 50]),
    "of no extent": ("average maximum", [0.0, 2.2, 2.3, 2.2, 2.3]),
    "turned round": ("average maximum pool", [0.0, 4.6, 4.5, 1.1, 1.2]),
    "turned round by less than a pixel": ("pool", [0.0, 4.0, 4.0, 2.9, 2.9]),
}


@pytest.mark.parametrize(
    ("layer", "region"), [(name, case) for case in NOWHERE for name in NOWHERE[case][0].split()]
)
def test_a_region_with_no_pixel_is_zero_and_teaches_nothing(layer, region):
    features = maps()
    found = LAYERS[layer]()(features, torch.tensor([NOWHERE[region][1]]).double())
    found.sum().backward()
    assert torch.count_nonzero(found) == 0
    assert torch.count_nonzero(features.grad) == 0


@pytest.mark.parametrize("layer", LAYERS)
def test_bfloat16_under_autocast_is_close_and_learns_at_the_same_place(layer):
    # On a map of 300 px a position in bfloat16 could be two pixels off.
    ramp = torch.linspace(0, 4, 300).expand(1, 2, 300, 300)
    regions = torch.tensor([[0.0, 300.3, 20.1, 330.6, 60.7]])
    features = [ramp.to(kind).clone().requires_grad_() for kind in (torch.float, torch.bfloat16)]
    with torch.autocast("cpu", torch.bfloat16):
        exact, rounded = (LAYERS[layer]()(each, regions) for each in features)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=1e-2, atol=0)
    exact.sum().backward()
    rounded.sum().backward()
    # In 16 bit neighbouring steps of the ramp are equal, so the maximum may lie a pixel beside.
    columns = [each.grad.float().sum((0, 1, 2)).cumsum(0) for each in features]
    assert (columns[0] - columns[1]).abs().sum() / columns[0][-1] <= 1
