"""Shared by all tests: the bridged IceVision, and a few rendered photos with labels."""

import os
from pathlib import Path
from types import ModuleType

import pytest

import cellcount as cc

ROOT = Path(__file__).resolve().parents[1]
REAL_PHOTOS = ROOT.parent / "shared" / "microalgae" / "labeled"

# Before any test module imports mmcv.
cc.apply_bridge()

# Waiting threads that spin make a busy machine several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, min(2, os.cpu_count() or 1) // _processes)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--device cuda``: the borders of the operators on a graphics card (docs/machines.md)."""
    parser.addoption("--device", default="cpu", help="where tensors are that name no device (cpu)")


def pytest_configure(config: pytest.Config) -> None:
    """Put tensors where ``--device`` says."""
    if (device := config.getoption("--device")) != "cpu":
        import torch

        torch.set_default_device(device)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the notebooks: two processes are done soonest when the longest begins first."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")


@pytest.fixture(scope="session")
def icevision() -> ModuleType:
    """IceVision behind the bridge, as ``from icevision.all import *`` gives it."""
    import icevision.all

    return icevision.all


@pytest.fixture(scope="session")
def labelled_photos() -> Path:
    """The folder of bundled rendered photos, whose labels are exact."""
    return ROOT / "data" / "rendered"


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """The folder of real labelled photos; tests that want it skip where it is missing."""
    if not REAL_PHOTOS.is_dir():
        pytest.skip("the real photos are not here: ../shared/microalgae is missing")
    return REAL_PHOTOS


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of seconds: epochs of one look at each photo, and no least number of steps."""
    from cellcount.detector import finetuning, recipe

    monkeypatch.setattr(recipe, "_EPOCH", 1)
    monkeypatch.setattr(finetuning, "_FEWEST", 1)
