"""Where the notebooks find photos and put results, and whether they run in quick mode."""

import os
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.photos.reading import is_photo

BUNDLED = Path("data")


def data_folder() -> Path:
    """The folder of photos: the one that CELLCOUNT_DATA names, else the bundled ``data``.

    Raises:
        CellCountError: CELLCOUNT_DATA names no folder.
    """
    named = os.environ.get("CELLCOUNT_DATA")
    if named is None:
        return BUNDLED
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise CellCountError(
            f"CELLCOUNT_DATA is set to {named}, which is no folder: correct it, or unset it to use "
            "the bundled photos."
        )
    print(f"Photos are taken from {folder}, because CELLCOUNT_DATA says so.")
    return folder


def labeled(folder: str | Path | None = None) -> Path:
    """The photos that have labels: ``folder``/labeled, or ``folder`` itself if it holds XML.

    Args:
        folder: of photos; :func:`data_folder` if left out.

    Raises:
        CellCountError: neither holds a Pascal VOC XML.
    """
    folder = data_folder() if folder is None else folder
    for candidate in (Path(folder) / "labeled", Path(folder)):
        if any(candidate.glob("*.xml")):
            return candidate
    raise CellCountError(
        f"{folder} holds no labelled photos: draw boxes with labelImg and save them as Pascal VOC "
        "beside the photos."
    )


def not_labeled(folder: str | Path | None = None) -> Path:
    """The photos to count: ``folder``/not_labeled, or ``folder`` itself if it holds photos.

    Args:
        folder: of photos; :func:`data_folder` if left out.

    Raises:
        CellCountError: neither holds a photo.
    """
    folder = data_folder() if folder is None else folder
    for candidate in (Path(folder) / "not_labeled", Path(folder)):
        if candidate.is_dir() and any(is_photo(path) for path in candidate.iterdir()):
            return candidate
    raise CellCountError(f"{folder} holds no photos to count: put some there.")


def quick() -> bool:
    """Whether CELLCOUNT_QUICK asks for one epoch, to see that everything runs; it says so."""
    asked = os.environ.get("CELLCOUNT_QUICK", "") not in ("", "0")
    if asked:
        print("Quick mode (CELLCOUNT_QUICK): one epoch only. The counts will be wrong.")
    return asked
