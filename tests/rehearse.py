"""Rehearses Google Colab or Kaggle with both notebooks: ``python -m tests.rehearse colab FOLDER``.

There is a Python that holds what theirs does, and nothing of this project; a working folder; and a
kernel that has some libraries loaded. In it the cells run. The first one fetches the project (from
here, and what is committed) and installs it.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import time
import venv
from pathlib import Path
from typing import NamedTuple

import nbformat

from cellcount.commands.demo import NOTEBOOKS
from cellcount.commands.watching import WatchedClient
from cellcount.setup.install import torch_pins

ROOT = Path(__file__).resolve().parents[1]
INLINE = "module://matplotlib_inline.backend_inline"


class Host(NamedTuple):
    """Where notebooks lie, what the kernel is told, what it has loaded, what is unlike Colab's."""

    work: str
    environment: dict[str, str]
    loaded: str
    unlike: tuple[str, ...] = ()


HOSTS = {
    "colab": Host(
        "/content",
        {"COLAB_RELEASE_TAG": "release-colab", "MPLBACKEND": INLINE},
        "google.colab, numpy, pandas, matplotlib.pyplot, PIL.Image, tqdm, requests, packaging",
    ),
    # Its image is made from Colab's, with the packages of Kaggle/docker-python on top.
    "kaggle": Host(
        "/kaggle/working",
        {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
        "numpy, pandas, matplotlib.pyplot",
        ("ipywidgets==8.1.5", "fastcore<2"),
    ),
}


def make_python(host: Host, folder: Path) -> Path:
    """The host's Python, in a folder of its own; returns it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python3"
    lists = ROOT / "tests" / "shared"
    for wanted in (
        ["-r", lists / "colab.txt", *torch_pins()],
        ["--no-deps", "-r", lists / "colab-apart.txt"],
        host.unlike,
    ):
        if wanted:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    (colab,) = (folder / "lib").glob("python3*/site-packages")
    (colab / "google" / "colab").mkdir(parents=True, exist_ok=True)
    (colab / "google" / "colab" / "__init__.py").touch()
    return python


def make_kernel(host: Host, python: Path, folder: Path) -> None:
    """A kernel by the name of ``hosted``, which is told and has loaded what the host's has."""
    kernel = folder / "kernels" / "hosted"
    kernel.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    command += [f"--InteractiveShellApp.exec_lines=import {host.loaded}"]
    told = {"PATH": f"{python.parent}:{os.environ['PATH']}", "CELLCOUNT_QUICK": "1"}
    told |= host.environment
    spec = {"argv": command, "display_name": "hosted", "language": "python", "env": told}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(folder)
    for active in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        os.environ.pop(active, None)


def run(name: str, host: Host, work: Path) -> None:
    """Run a notebook in the working folder, and print what its first cell says."""
    notebook = nbformat.read(ROOT / name, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = re.sub(r"(git clone) \S+", rf"\1 {ROOT}", first.source)
    first.source = first.source.replace(host.work, str(work))
    begun = time.monotonic()
    client = WatchedClient(
        notebook,
        name,
        timeout=3600,
        kernel_name="hosted",
        resources={"metadata": {"path": str(work)}},
    )
    try:
        asyncio.run(client.watched())
    finally:
        nbformat.write(notebook, work / name)
        print(*(one.get("text", "") for one in first.outputs), sep="")
        print(f"{name}: {(time.monotonic() - begun) / 60:.0f} min, see {work / name}")


def main() -> None:
    """Run both notebooks as one of the hosts would, in a folder that is not there yet."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearse", description=main.__doc__)
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument("folder", type=Path, help="takes about 8 GB")
    asked = parser.parse_args()
    host, folder = HOSTS[asked.host], asked.folder.resolve()
    work = folder / host.work[1:]
    work.mkdir(parents=True)
    make_kernel(host, make_python(host, folder / "python"), folder / "jupyter")
    for name in NOTEBOOKS:
        run(name, host, work)


if __name__ == "__main__":
    main()
