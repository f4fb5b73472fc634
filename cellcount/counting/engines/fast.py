"""A detector as one network from pixels to candidates, and NumPy for all that comes after."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cellcount.counting.decoding import Recipe, decode
from cellcount.counting.detections import Detections
from cellcount.counting.framing import Frame, frame


class FastEngine:
    """Runs a network, whichever library computes it.

    Args:
        name: of the library.
        recipe: what else belongs to the detector.
        run: the network: takes pixels (1, H, W, 3), uint8, RGB, and gives the outputs that
            :func:`cellcount.counting.decoding.decode` takes.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        run: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]],
    ) -> None:
        self.name, self.classes, self.meta = name, recipe.classes, recipe.meta
        self.img_size = recipe.img_size
        self._recipe, self._run = recipe, run

    def prepare(self, photo: NDArray[np.uint8]) -> Frame:
        """What can be done to a photo (height, width, 3) while another one is being computed."""
        return frame(photo, self.img_size)

    def find(self, prepared: Frame, threshold: float) -> Detections:
        """The boxes with a score above the threshold, in pixels of the photo."""
        return decode(self._run(prepared.pixels[None]), self._recipe, prepared, threshold)
