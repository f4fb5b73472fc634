"""Boxes (xmin, ymin, xmax, ymax) in pixels: how far they overlap."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_iou(boxes: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4), as (n, m)."""
    a = np.asarray(boxes, dtype=float).reshape(-1, 1, 4)
    b = np.asarray(labels, dtype=float).reshape(1, -1, 4)
    overlap = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    overlap = overlap.clip(0) * height.clip(0)
    areas = [(c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b)]
    union = areas[0] + areas[1] - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0)
