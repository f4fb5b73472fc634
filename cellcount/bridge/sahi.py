"""sahi 0.12: where IceVision looks for its model class."""

import sys
from collections.abc import Iterator

from cellcount.bridge.spans import span


@span(
    "icevision.models.inference_sahi",
    library="sahi",
    versions=">=0.11",
    breaks="IceVision imports `sahi.model`, which is `sahi.models.base` today",
    until="IceVision imports sahi.models.base",
)
def model_has_moved() -> Iterator[None]:
    import sahi.models.base

    sys.modules.setdefault("sahi.model", sahi.models.base)
    yield
