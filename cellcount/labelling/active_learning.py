"""How much a person's look at a photo is worth to a detector: what active learning asks.

Three signs, each blind where another sees: boxes that the calibration calls unsure, boxes that
change when the photo is turned, and a photo unlike all that is labelled, on which a detector may be
sure and wrong. They have no common unit, so photos are sorted by their mean rank in the three
(Borda count).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from cellcount.calibration.intervals import LIKELY
from cellcount.calibration.matching import Prediction, match
from cellcount.detector.bridging import apply_bridge
from cellcount.photos.reading import read_photo

_PIXELS = 384  # of the longest side; enough to see what kind of photo it is
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


@dataclass(frozen=True)
class Signs:
    """Why a photo may be worth a look.

    ``unsure`` is the share of boxes that are expected to be wrong or missing, ``changed`` the share
    that is not found again on the turned photo. ``unlike`` is the distance to the nearest labelled
    photo, 1 being usual among those; it is None if there are less than two.
    """

    unsure: float
    changed: float
    unlike: float | None

    def values(self) -> list[float]:
        """Those there are, in the order of :data:`REASONS`."""
        return [one for one in (self.unsure, self.changed, self.unlike) if one is not None]


REASONS = ("unsure boxes", "boxes that change when it is turned", "unlike the labelled photos")


def unsure(probabilities: ArrayLike, drawn: int) -> float:
    """Expected corrections a drawn box: drawn ones that are no cell, cells that are not drawn.

    Args:
        probabilities: (n,), that each candidate is a cell, the surest first.
        drawn: how many of them are drawn.
    """
    p = np.asarray(probabilities, dtype=float)
    left = p[drawn:]
    return float((np.sum(1 - p[:drawn]) + np.sum(left[left >= LIKELY])) / max(drawn, 1))


def changed(boxes: NDArray[np.floating], turned: NDArray[np.floating]) -> float:
    """The share of boxes, (n, 4) and (m, 4) in one frame, without a partner among the others."""
    both = len(boxes) + len(turned)
    pairs = match(Prediction("", boxes, np.ones(len(boxes)), turned)).matched.sum()
    return float((both - 2 * pairs) / both) if both else 0.0


def unlike(photo: ArrayLike, labelled: ArrayLike) -> float | None:
    """How far a photo's features (k,) are from the nearest of (n, k); 1 is usual among those n."""
    known = np.asarray(labelled, dtype=float)
    if len(known) < 2:
        return None
    among = 1 - known @ known.T
    usual = np.median(np.min(among + 2 * np.eye(len(known)), axis=1))
    nearest = np.min(1 - known @ np.asarray(photo, dtype=float))
    return float(nearest / max(usual, 1e-6))


def features(photo: str | Path) -> NDArray[np.float64]:
    """What EfficientNet-Lite0 sees in a photo, (320,), of length 1.

    The weights are ImageNet's, not the detector's: they are the same for every family of detectors,
    and have not learned to overlook what is new.

    Raises:
        PhotoError: the photo cannot be read.
    """
    import torch

    pixels = (read_photo(photo, shrink_to=_PIXELS) / 255 - _MEAN) / _SD
    image = torch.tensor(pixels[..., ::-1].copy(), dtype=torch.float32)  # BGR, as mmdet has it
    with torch.inference_mode():
        deepest = _backbone()(image.permute(2, 0, 1)[None])[-1]
    seen = deepest.mean((0, 2, 3)).double().numpy()
    return seen / np.linalg.norm(seen)


@cache
def _backbone() -> Any:
    apply_bridge()
    from cellcount.detector.backbones import EfficientNetLite0

    backbone = EfficientNetLite0(init_cfg={"type": "Wheel"})
    backbone.init_weights()
    return backbone.eval()


def most_first(signs: Sequence[Signs]) -> list[tuple[int, str]]:
    """The photos' indices, the most worthwhile first, each with the sign it ranks highest in."""
    if not signs:
        return []
    ranks = rankdata([one.values() for one in signs], axis=0)
    order = np.argsort(-ranks.mean(axis=1), kind="stable")
    return [(int(i), REASONS[int(ranks[i].argmax())]) for i in order]
