"""The networks of YOLO11n and YOLOv8n, with random weights, to be measured beside ours.

Ultralytics is under the AGPL 3.0, so it is no part of this project's environment: it is fetched for
the benchmark alone, into a folder that git ignores, and nothing but the benchmark imports it.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from benchmarks.interleave import NotMeasuredError

NETWORKS = {"yolo11n": "YOLO11n", "yolov8n": "YOLOv8n"}
_PACKAGE = "ultralytics==8.4.190"  # builds both, on the torch and the NumPy that are here
_FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "ultralytics"


def install() -> None:
    """Fetch Ultralytics, alone, unless it is there.

    Raises:
        NotMeasuredError: it cannot be had.
    """
    if (_FOLDER / "ultralytics").is_dir():
        return
    tqdm.write(f"Fetching {_PACKAGE} (AGPL 3.0) into {_FOLDER}, for this comparison alone.")
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--target", str(_FOLDER), _PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasuredError(f"{_PACKAGE} could not be fetched")


def prepare(name: str, size: int) -> Callable[[str], None]:
    """The network as Ultralytics runs it: batch norms folded, without reading and suppression."""
    # No settings in the home folder, no look at the network, nothing installed on the fly.
    os.environ |= {
        "YOLO_CONFIG_DIR": str(_FOLDER.parent),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
    }
    sys.path.append(str(_FOLDER))
    import torch
    from ultralytics.nn.tasks import DetectionModel

    network = DetectionModel(f"{name}.yaml", nc=1, verbose=False).eval().fuse(verbose=False)
    pixels = torch.rand(1, 3, size, size)

    def forward(_photo: str) -> None:
        with torch.inference_mode():
            network(pixels)

    return forward
