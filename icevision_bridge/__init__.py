"""Runs the libraries of 2022 on today's Python and torch; see ``apply``.

Each file here mends one library, each function in it one break. Nothing installed is changed on
disk, nothing is fetched: modules are mended in memory while Python loads them.
"""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from icevision_bridge.errors import BridgeError
from icevision_bridge.patches import PATCHES, Patch, PatchFinder

_FILES = (
    "drawing",  # lays its array over the NumPy that "python" gives, so it comes before that
    "python",
    "lazy_modules",
    "mmcv",
    "mmdet",
    "icevision",
    "data",
    "masks",
    "evaluation",
    "torchvision",
    "vfnet",
    "detectors",
    "families",
    "effdet",
    "yolov5",
    "yolov5_icevision",
    "sahi",
    "fastai",
    "memory",
    "precision",
    "loaders",
    "distributed",
)
_applied = False


def apply(*more: str) -> None:
    """Make ``from icevision.all import *`` work; call it before that line. A second call is free.

    Args:
        more: modules of yours that register patches of their own; theirs have the last word.

    Raises:
        BridgeError: a bridged library was imported before, or packages were exchanged on disk
            since Python started; both want a fresh start of Python.
    """
    global _applied  # noqa: PLW0603 - the import system of a process is mended once
    if _applied:
        return
    _refuse_stale_modules()
    patches = [one for one in _registered(*more) if one.applies()]
    early = sorted({one.module for one in patches if not one.optional} & set(sys.modules))
    if early:
        raise BridgeError(
            f"{early[0]} was imported before the bridge: restart the kernel and run "
            "the bridge's line before any other that imports icevision, mmdet or mmcv."
        )
    sys.meta_path.insert(0, PatchFinder(patches))
    _applied = True


def report(*more: str) -> list[tuple[str, str, bool]]:
    """Every patch as (``library: name``, what breaks without it, whether it applies here).

    Args:
        more: as :func:`apply` takes them.
    """
    lines = [
        (f"{one.library}: {one.name}", one.breaks, one.applies()) for one in _registered(*more)
    ]
    return list(dict.fromkeys(lines))  # one break may stand in several modules


def _registered(*more: str) -> list[Patch]:
    """All patches; those of others come first, so what they do after a module's loading is last."""
    for name in (*(f"{__name__}.{name}" for name in _FILES), *more):
        import_module(name)
    return sorted(PATCHES, key=lambda one: one.mend.__module__.startswith(f"{__name__}."))


def _refuse_stale_modules() -> None:
    # On Colab the install cell exchanges packages that the running kernel may have loaded already;
    # half-old half-new packages fail in ways that nobody can read.
    for module, library in {"numpy": "numpy", "PIL": "pillow", "torch": "torch"}.items():
        loaded = getattr(sys.modules.get(module), "__version__", None)
        try:
            installed = version(library)
        except PackageNotFoundError:
            continue
        if loaded and loaded.split("+")[0] != installed.split("+")[0]:
            raise BridgeError(
                f"{library} {installed} was installed while {library} {loaded} was running: "
                "restart the kernel (Colab: Runtime > Restart session), then run the cells again."
            )
