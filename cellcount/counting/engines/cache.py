"""Keeps exported detectors: one file beside the checkpoint, or in the user's cache folder.

A file is found by the SHA-256 sum of the checkpoint's content, so a checkpoint that was trained
again is exported again. It is a ZIP archive, whose own checksums tell a damaged one; it holds a
network, numbers and JSON, and nothing that could run.
"""

import glob
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cellcount.files import digest

SUFFIX = ".openvino"
_LAYOUT = 3  # of the archive and of what the network computes: a new number outdates all files


class Exported(NamedTuple):
    """A detector as OpenVINO keeps it: the network, its weights, and what else belongs to it."""

    network: bytes
    weights: bytes
    recipe: dict[str, Any]


def find(checkpoint: Path) -> Exported | None:
    """What was exported from a checkpoint of just this content; None if it is nowhere intact."""
    name = _name(checkpoint)
    for folder in _folders(checkpoint):
        try:
            with zipfile.ZipFile(folder / name) as archive:
                return Exported(
                    archive.read("network.xml"),
                    archive.read("weights.bin"),
                    json.loads(archive.read("recipe.json")),
                )
        except (OSError, zipfile.BadZipFile, KeyError, ValueError):
            continue  # absent, unreadable or damaged: it will be made again
    return None


def keep(checkpoint: Path, exported: Exported) -> Path | None:
    """Write the file and delete those beside it that the checkpoint's earlier contents left.

    Returns:
        where it is, or None if neither folder can be written to.
    """
    name = _name(checkpoint)
    for folder in _folders(checkpoint):
        part = folder / f"{name}.{os.getpid()}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr("network.xml", exported.network)
                archive.writestr("weights.bin", exported.weights)
                archive.writestr("recipe.json", json.dumps(exported.recipe))
            part.replace(folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink()
            continue
        if folder == checkpoint.parent:  # elsewhere they may be other people's of the same name
            _forget(checkpoint, name)
        return folder / name
    return None


def _forget(checkpoint: Path, name: str) -> None:
    for old in checkpoint.parent.glob(f"{glob.escape(checkpoint.name)}.{'[0-9a-f]' * 16}{SUFFIX}"):
        if old.name != name:
            with suppress(OSError):
                old.unlink()


def _folders(checkpoint: Path) -> tuple[Path, Path]:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return checkpoint.parent, Path(caches) / "cellcount"


def _name(checkpoint: Path) -> str:
    content = digest(checkpoint, f"layout {_LAYOUT}\n")
    return f"{checkpoint.name}.{content}{SUFFIX}"
