"""Which photos and which classes a command asks for."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from cellcount.errors import CellCountError

_FEW = 3  # files that are no photos
_BESIDE = (".xml", ".txt", ".csv")  # labels and tables lie beside photos


def photos_of(path: Path, recursive: bool) -> list[Path]:
    """A photo itself, or those of a folder; what is passed over in the folder is told.

    Raises:
        CellCountError: the folder holds no photo.
    """
    from cellcount.photos.reading import is_photo, list_photos

    if not path.is_dir():
        return [path]
    inner = sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")
    folders = [path]
    if recursive:
        folders = [Path(one) for one, _, _ in os.walk(path)]
        folders = sorted(one for one in folders if any(map(is_photo, one.iterdir()))) or [path]
    elif inner:
        print(f"Folders in {path} are not entered: {_named(inner)}. With --recursive they are.")
    others = [
        one
        for folder in folders
        for one in sorted(folder.iterdir())
        if one.is_file() and not is_photo(one) and one.suffix not in _BESIDE and one.name[0] != "."
    ]
    if others:
        print(f"Files in {path} that are no photos, as their names say: {_named(others)}.")
    return [photo for folder in folders for photo in list_photos(folder)]


def _named(paths: Sequence[Path]) -> str:
    """The number of files or folders, and the names of a few."""
    few = ", ".join(path.name for path in paths[:_FEW])
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
