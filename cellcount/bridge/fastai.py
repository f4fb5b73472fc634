"""fastai 2.8: what it prints on a machine without a GPU."""

import sys
import warnings
from collections.abc import Iterator

from cellcount.bridge.spans import span


@span(
    "fastai.vision.all",
    library="fastai",
    breaks="torch warns at every step that it pins no memory, or scales no gradients, without a GPU",
    until="fastai asks for both only where there is a GPU",
)
def no_gpu_is_no_news() -> Iterator[None]:
    yield
    warnings.filterwarnings("ignore", message=".*pin_memory.*", category=UserWarning)
