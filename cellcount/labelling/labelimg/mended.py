"""Loads labelImg behind its mends."""

import sys
from importlib import import_module
from typing import Any

from icevision_bridge.spans import SPANS, SpanFinder

_FILES = ("crashes", "boxes", "photos", "saving", "window")


def mended_labelimg() -> Any:
    """The module ``labelImg.labelImg``, mended while it was loaded; a second call is free."""
    if "labelImg.labelImg" not in sys.modules:
        for name in _FILES:
            import_module(f"cellcount.labelling.labelimg.{name}")
        spans = [one for one in SPANS if one.library == "labelImg" and one.applies()]
        sys.meta_path.insert(0, SpanFinder(spans))
    return import_module("labelImg.labelImg")
