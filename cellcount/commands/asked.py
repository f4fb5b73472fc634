"""Which photos and which classes a command asks for."""

import argparse
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellcount.errors import CellCountError
from cellcount.files import printable

if TYPE_CHECKING:
    from cellcount.counting.workers import Crew

_FEW = 3  # files that are no photos
_BESIDE = (".xml", ".txt", ".csv")  # labels and tables lie beside photos


def photos_of(path: Path, recursive: bool) -> list[Path]:
    """A photo itself, or those of a folder; what is passed over in the folder is told.

    Raises:
        CellCountError: the folder holds no photo, or cannot be listed.
    """
    from cellcount.photos import remote
    from cellcount.photos.reading import is_photo, natural, no_photo

    name = str(path)
    if remote.is_remote(path) and not is_photo(path):
        name = remote.address(path)
        files, folders = remote.listed(path, recursive)
    elif path.is_dir():
        files, folders = _listed(path, recursive)
    else:
        return [path]
    if folders and recursive:
        print(f"Links to folders in {name} are not followed: {_named(folders)}.")
    elif folders:
        print(f"Folders in {name} are not entered: {_named(folders)}. With --recursive they are.")
    photos = [one for one in files if is_photo(one)]
    others = [one for one in files if not is_photo(one) and one.suffix not in _BESIDE]
    if others := sorted(one for one in others if one.name[0] != "."):
        print(f"Files in {name} that are no photos, as their names say: {_named(others)}.")
    if not photos:
        raise no_photo(name)
    return sorted(photos, key=lambda one: (one.parent, natural(one)))


def _listed(folder: Path, recursive: bool) -> tuple[list[Path], list[Path]]:
    """The files in a folder, and the folders that were not entered."""
    files, folders = [], []

    def refuse(error: OSError) -> None:
        raise CellCountError(
            f"The folder {printable(error.filename)} cannot be listed ({error.strerror}): get the "
            "right to read it, or leave it out."
        ) from error

    for here, inner, names in os.walk(folder, onerror=refuse):
        files += [Path(here) / name for name in names]
        found = [Path(here) / name for name in sorted(inner)]
        if not recursive:
            inner.clear()
        folders += [one for one in found if one.is_symlink() or not recursive]
    return files, [one for one in folders if one.name[0] != "."]


def crew(options: argparse.Namespace) -> "Crew | None":
    """The processes that are asked for to count in; None if it is this one."""
    if options.scheduler:
        from cellcount.counting.cluster import dask_cluster

        return dask_cluster(options.scheduler)
    from cellcount.counting.workers import processes

    return processes(options.workers) if options.workers else None


def _named(paths: Sequence[Path]) -> str:
    """The number of files or folders, and the names of a few."""
    few = ", ".join(printable(path.name) for path in paths[:_FEW])
    return f"{len(paths)} ({few}{', ...' if len(paths) > _FEW else ''})"


def groups(
    classes: Sequence[str], merge: Sequence[str], known: Sequence[str]
) -> dict[str, list[str]]:
    """Which of a detector's classes are counted as what.

    Args:
        classes: names to keep, several in one text parted by commas; none keeps all.
        merge: texts as "live=Living+Cell".
        known: the detector's classes. A name of these is not parted, whatever signs are in it.

    Raises:
        CellCountError: a text is not of that form, or names no class.
    """
    made = {name: [name] for name in known}
    for text in merge:
        name, equals, parts = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise CellCountError(f'--merge {text} says no name: write it as "live=Living+Cell".')
        some = _parted(parts, "+", known)
        if name in made and name not in some:
            raise CellCountError(f"There is a class {name!r} already: choose another name.")
        made = {other: own for other, own in made.items() if other not in some} | {name: some}
    kept = [name for text in classes for name in _parted(text, ",", made)]
    return {name: made[name] for name in kept} if kept else made


def _parted(text: str, sign: str, known: Collection[str]) -> list[str]:
    names = [text] if text in known else [part.strip() for part in text.split(sign)]
    for name in names:
        if name not in known:
            raise CellCountError(f"There is no class {name!r}: there are {', '.join(known)}.")
    return names
