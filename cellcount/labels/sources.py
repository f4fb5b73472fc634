"""Where labels come from: a folder, a zip or a file, whose format is found out by its content."""

import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from cellcount.errors import CellCountError
from cellcount.labels.formats import FORMATS
from cellcount.labels.formats.content import DAMAGED_ZIP, load

_LARGEST_ZIP = 20e9  # bytes once unpacked
_USUAL_ZIP = 1e9  # bytes, up to which nobody minds how well they were packed
_PACKED = 100  # times smaller: photos never are, what fills a disk on purpose is
_FALLBACK = "masks"  # pictures are looked into only where no other format is found


def module_of(format: str) -> ModuleType:
    """The module of one of ``FORMATS``."""
    return import_module(f"cellcount.labels.formats.{format}")


def detected(root: Path, format: str | None) -> tuple[ModuleType, list[Path]]:
    """The format of what lies under a folder, found out by content, and its files.

    Args:
        root: folder, or a file of labels.
        format: one of ``FORMATS``, if it is known.

    Raises:
        CellCountError: there are no labels that are known, or several formats of them.
    """
    if format and root.is_file():
        return module_of(format), [root]
    files = [root] if root.is_file() else sorted(_not_hidden(root))
    found: dict[str, list[Path]] = defaultdict(list)
    for names in ([format],) if format else ([n for n in FORMATS if n != _FALLBACK], [_FALLBACK]):
        for path in files:
            try:
                mine = [name for name in names if module_of(name).mine(path)]
            except OSError as error:
                raise CellCountError(f"{path} cannot be read ({error.strerror}).") from error
            for name in mine:
                found[name].append(path)
        if found:
            break
    if len(found) > 1:
        several = ", ".join(f"{name} ({paths[0].name})" for name, paths in found.items())
        raise CellCountError(f"{root} holds several formats, {several}: say which with --format.")
    if not found:
        for path in files:
            if path.suffix.lower() in (".json", ".geojson"):
                load(path)  # which says what is wrong with a damaged one
        raise CellCountError(
            f"{root} holds no labels that are known ({format or ', '.join(FORMATS)}): "
            "docs/labels.md says what to export."
        )
    ((name, paths),) = found.items()
    return module_of(name), paths


def _not_hidden(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)
        if path.is_file() and not hidden:
            yield path


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """The folder or file that holds the labels; of a zip, a temporary folder of what was in it.

    Raises:
        CellCountError: there is no such file, or the zip cannot be unpacked.
    """
    if not source.exists() or not (source.is_dir() or source.is_file()):
        raise CellCountError(f"{source} is no folder, zip or file of labels. Check its name.")
    if source.suffix.lower() == ".zip" and not module_of("imagej").mine(source):
        with tempfile.TemporaryDirectory() as unpacked:
            _unpack(source, Path(unpacked))
            try:
                yield Path(unpacked)
            except CellCountError as error:  # which names a file that will be gone
                raise CellCountError(str(error).replace(unpacked, str(source))) from error
    else:
        yield source


def _unpack(source: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > min(_LARGEST_ZIP, max(_USUAL_ZIP, _PACKED * source.stat().st_size)):
                raise CellCountError(
                    f"{source} would unpack to {size / 1e9:.1f} GB: unpack it by hand if you trust "
                    "it, and import the folder."
                )
            archive.extractall(target)  # leaves out .. and leading slashes
    except DAMAGED_ZIP as error:
        raise CellCountError(
            f"{source} cannot be unpacked ({error}): export or download it again."
        ) from error
