"""Non-maximum suppression of all boxes at once, hard or soft, in NumPy.

A box that no better one overlaps is final whatever happens elsewhere: scores only ever sink. So all
such boxes are taken in one round, then those that they overlap are dropped (hard) or lose score
(soft), and so on; that takes about ten rounds for thousands of boxes, and what comes out is what
taking the single best box again and again gives.

Neubeck & Van Gool 2006; Bodla et al. 2017, "Soft-NMS".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

_AT_ONCE = 500  # boxes whose partners are looked for together, which bounds the memory


def suppress(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    method: Mapping[str, Any] | None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Indices (k,) of the boxes that stay, best first, and their scores (k,).

    Args:
        boxes: (n, 4): xmin, ymin, xmax, ymax.
        scores: (n,); of equal ones the first counts as better.
        labels: (n,); boxes of different labels leave each other alone.
        method: an mmdet ``nms`` setting: ``type`` nms (a box goes if it overlaps a better one by
            more than ``iou_threshold``) or soft_nms (from ``iou_threshold`` on it loses score, and
            goes below ``min_score``); None keeps all.
    """
    current = scores.astype(np.float64)
    if method is None or not len(boxes):
        order = np.argsort(-current, kind="stable")
        return order, current[order]
    soft = method.get("type", "nms") == "soft_nms"
    groups = np.zeros_like(labels) if method.get("class_agnostic") else labels
    better, worse, iou = _pairs(boxes, groups, method, soft)
    kept = _soft_weights(iou, method) if soft else np.zeros_like(iou)

    least = method.get("min_score", 1e-3) if soft else -np.inf
    alive = current >= least
    alive[np.argmax(current)] = True  # mmcv asks for the least score after the first box only
    final = np.zeros(len(boxes), dtype=bool)
    while alive.any():
        here = alive[better] & alive[worse]
        better, worse, kept = better[here], worse[here], kept[here]
        # Each pair stands in both directions.
        ahead = (current[better] > current[worse]) | (
            (current[better] == current[worse]) & (better < worse)
        )
        taken = alive.copy()
        taken[worse[ahead]] = False
        final |= taken
        alive &= ~taken
        hit = taken[better]
        if soft:
            np.multiply.at(current, worse[hit], kept[hit])
            alive &= current >= least
        else:
            alive[worse[hit]] = False
    stay = np.flatnonzero(final)
    order = stay[np.argsort(-current[stay], kind="stable")]
    return order, current[order]


def _soft_weights(iou: NDArray[np.float64], method: Mapping[str, Any]) -> NDArray[np.float64]:
    kind = method.get("method", "linear")
    if kind == "gaussian":
        return np.exp(-(iou**2) / method.get("sigma", 0.5))
    return 1 - iou if kind == "linear" else np.zeros_like(iou)


def _pairs(
    boxes: NDArray[np.floating], groups: NDArray[np.integer], method: Mapping[str, Any], soft: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Both directions of each pair that overlaps enough to matter, and its IoU."""
    least = method.get("iou_threshold", 0.3)
    if soft and method.get("method") == "gaussian":
        least = np.nextafter(0, 1)
    frames = shapely.box(*boxes.T.astype(float))
    tree = shapely.STRtree(frames)  # so that crowds stay quick
    found = []
    for first in range(0, len(boxes), _AT_ONCE):
        one, other = tree.query(frames[first : first + _AT_ONCE])
        one += first
        here = (one < other) & (groups[one] == groups[other])
        one, other = one[here], other[here]
        iou = _iou(boxes[one].astype(float), boxes[other].astype(float))
        much = iou >= least if soft else iou > least
        found.append((one[much], other[much], iou[much]))
    one, other, iou = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([iou, iou])


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each box of (k, 4) with its partner, which it overlaps or touches: (k,)."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = sides.prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
