"""yolov5-icevision 6.0.0: loading it without setuptools and a network, training with it."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from packaging.requirements import Requirement
from packaging.version import Version

from icevision_bridge.patches import Mending, lend, overlay, patch


@patch(
    "yolov5",
    library="yolov5-icevision",
    breaks="it looks for itself with `imp`, which left Python in 3.12, to extend `sys.path`",
    until="yolov5-icevision stops importing imp",
)
def imp_is_gone() -> Mending:
    def find_module(name: str) -> tuple[None, str, SimpleNamespace]:
        return None, str(Path(__file__).parent), SimpleNamespace()

    with lend("imp", find_module=find_module):
        yield


@patch(
    "yolov5.utils.general",
    library="yolov5-icevision",
    breaks="`pkg_resources` left setuptools; printing, OpenCV threads and pandas are reconfigured",
    until="yolov5-icevision parses versions with packaging and leaves global settings alone",
)
def pkg_resources_is_gone() -> Mending:
    import cv2
    import numpy as np
    import pandas as pd
    import torch

    cv2_threads, columns = cv2.getNumThreads(), pd.options.display.max_columns
    had_numexpr = "NUMEXPR_MAX_THREADS" in os.environ
    with (
        np.printoptions(),
        lend("pkg_resources", parse_version=Version, parse_requirements=_parse_requirements),
    ):
        yield
    torch.set_printoptions(profile="default")
    cv2.setNumThreads(cv2_threads)
    pd.options.display.max_columns = columns
    if not had_numexpr:
        os.environ.pop("NUMEXPR_MAX_THREADS", None)


def _parse_requirements(lines: Iterator[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


@patch(
    "yolov5.utils.plots",
    library="yolov5-icevision",
    breaks="while it is imported it downloads Arial and turns Matplotlib's windows and plots off",
    until="yolov5-icevision loads its font when it draws, and leaves Matplotlib alone",
)
def arial_is_downloaded() -> Mending:
    import matplotlib
    from PIL import ImageFont

    from icevision_bridge.fonts import default_font

    truetype = ImageFont.truetype

    def shipped_font(font: str, *args: Any, **kwargs: Any) -> ImageFont.FreeTypeFont:
        if Path(str(font)).name in ("Arial.ttf", "Arial.Unicode.ttf"):
            font = default_font()
        return truetype(font, *args, **kwargs)

    with (
        matplotlib.rc_context(),
        mock.patch.object(matplotlib, "use"),
        mock.patch.object(ImageFont, "truetype", shipped_font),
    ):
        yield


@patch(
    "icevision.models",
    library="icevision",
    breaks="it resets Matplotlib's settings, those of the user and of the notebook too",
    until="IceVision leaves Matplotlib alone",
)
def plots_are_reset() -> Mending:
    import matplotlib

    with matplotlib.rc_context():
        yield


@patch(
    "yolov5.utils.loss",
    library="yolov5-icevision",
    breaks="torch no longer clamps whole numbers to a limit that is none, so that training stops",
    until="yolov5-icevision clamps to whole numbers",
)
def limits_are_no_whole_numbers() -> Mending:
    module = yield
    import torch

    def whole_ones(*args: Any, **kwargs: Any) -> torch.Tensor:
        return torch.ones(*args, **kwargs, dtype=torch.long)

    # Called once, for the sizes of the grids that cells are assigned to.
    module.torch = overlay(torch, ones=whole_ones)
