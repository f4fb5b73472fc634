"""What the detector makes of a photo, for any threshold that a visitor may ask for later."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.counting.detections import Detections
from cellcount.detector.training import LEAST_SCORE
from cellcount.photos.view import View


@dataclass(frozen=True)
class Counted:
    """A photo of ``size`` (width, height), counted in so many seconds.

    ``own`` is the count by the model's threshold and calibration. ``by_threshold`` is one by a
    threshold alone, and ``found`` the boxes from which any other comes.
    """

    size: tuple[int, int]
    seconds: float
    own: Count
    by_threshold: Count
    found: Detections

    def at(self, threshold: float | None, counter: Counter) -> Count:
        """The count above a threshold, or the model's own.

        Args:
            threshold: from ``LEAST_SCORE`` to 1; None for the model's own.
            counter: that has this threshold.
        """
        if threshold is None:
            return self.own
        return counter.recount(self.found, self.by_threshold)


def count_photo(counter: Counter, photo: Path, name: str, view: View) -> Counted:
    """Count a photo as ``counter`` does with this view; the counts have the given name.

    Raises:
        PhotoError: the photo cannot be read.
    """
    began = time.perf_counter()
    own, plain = counter.at(None, view), counter.at(LEAST_SCORE, view)
    seen = own.see(photo)
    _, count = own.find_and_count(photo, seen=seen)
    found, by_threshold = plain.find_and_count(photo, seen=seen)
    seconds = time.perf_counter() - began
    count, by_threshold = replace(count, photo=name), replace(by_threshold, photo=name)
    return Counted(seen.size, seconds, count, by_threshold, found)
