"""YOLOv5's published weights, which are programs: never loaded without an explicit yes."""

import pickle
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.weights import download

# The release whose layers yolov5-icevision 6.0 has. The newest one, which yolov5 itself asks
# GitHub for, holds classes that it has not (ultralytics/yolov5 issue 9151).
ADDRESS = "https://github.com/ultralytics/yolov5/releases/download/v6.0"


def ask_for_yes(trust_pickled_weights: bool) -> None:
    """Refuse weights that are programs, or warn of them if the caller has said yes.

    Raises:
        BridgeError: the caller has not.
    """
    danger = (
        "YOLOv5's published weights are a program, which could do anything on this computer while "
        "it is loaded"
    )
    if not trust_pickled_weights:
        raise BridgeError(
            f"{danger}: write backbone(pretrained=False) to train without them, or "
            "models.ultralytics.yolov5.model(..., trust_pickled_weights=True) to load them all the "
            "same."
        )
    warnings.warn(f"{danger}; it is loaded because of trust_pickled_weights=True.", stacklevel=3)


def find_published(path: Path, address: str = ADDRESS) -> None:
    """Have the file ``path`` there, from the folder ``address`` if it is not.

    Raises:
        BridgeError: it is damaged, or not there and cannot be had.
    """
    if not path.is_file():
        advice = "Or train without them, with pretrained=False."
        download([f"{address}/{path.name}"], path, zipfile.is_zipfile, advice)
    elif not zipfile.is_zipfile(path):
        raise BridgeError(
            f"{path} is damaged: delete it and run this again, or copy {address}/{path.name} there."
        )


def run_published(path: Path, map_location: Any) -> dict[str, Any]:
    """Load the file ``path``, which runs whatever program it holds.

    Raises:
        BridgeError: it is not one of the release that ``ADDRESS`` names.
    """
    import torch

    try:
        with _names_of_2021():
            checkpoint = torch.load(path, map_location=map_location, weights_only=False)
        checkpoint["model"].state_dict()
    except (pickle.UnpicklingError, AttributeError, ImportError, LookupError, TypeError) as error:
        raise BridgeError(
            f"{path} is not of YOLOv5's release 6.0 ({error}): put {ADDRESS}/{path.name} in its "
            "place."
        ) from error
    return checkpoint


@contextmanager
def _names_of_2021() -> Iterator[None]:
    """Lend the modules of yolov5 the names that they have in YOLOv5's own repository.

    Only to the file that is loaded: ``models`` and ``utils`` are names of many programs.
    """
    own = {
        name.removeprefix("yolov5."): module
        for name, module in sys.modules.items()
        if name.startswith(("yolov5.models", "yolov5.utils"))
    }
    others = {name: sys.modules[name] for name in own if name in sys.modules}
    sys.modules.update(own)
    try:
        yield
    finally:
        for name in own:
            del sys.modules[name]
        sys.modules.update(others)
