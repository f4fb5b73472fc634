"""Loads labelImg behind its mends."""

import sys
from functools import partial
from importlib import import_module
from typing import Any

from icevision_bridge.patches import PATCHES, PatchFinder, patch

mend = partial(patch, library="labelImg", until="never: labelImg is archived")
_FILES = ("crashes", "boxes", "photos", "saving", "window")


def mended_labelimg() -> Any:
    """The module ``labelImg.labelImg``, mended while it was loaded; a second call is free."""
    if "labelImg.labelImg" not in sys.modules:
        for name in _FILES:
            import_module(f"cellcount.labelling.labelimg.{name}")
        patches = [one for one in PATCHES if one.library == "labelImg" and one.applies()]
        sys.meta_path.insert(0, PatchFinder(patches))
    return import_module("labelImg.labelImg")
