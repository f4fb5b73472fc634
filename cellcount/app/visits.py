"""What a visitor has handed in: photos in a folder that nobody else can name, for a while.

No name of a visitor's reaches the disk: files are numbered, and their ending is one of those that
photos have.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cellcount.app.counted import Counted
from cellcount.app.settings import Settings
from cellcount.errors import CellCountError
from cellcount.photos.reading import PHOTO_SUFFIXES, PhotoError, channels_in, photos_in
from cellcount.photos.view import View

WAITING, COUNTING, COUNTED, FAILED = "waiting", "counting", "counted", "failed"
READ = tuple(suffix for suffix in PHOTO_SUFFIXES if suffix != ".oif")  # which needs its folder
_LONGEST = 120  # letters of a name that are kept
_IDLE = 30 * 60  # seconds without a sign of the page, after which photos are deleted
_MOST = 100  # visits at a time


@dataclass(frozen=True)
class Limits:
    """How large photos may be, in MB of a million bytes, and how many there may be in a visit."""

    mb: int = 200
    photos: int = 100

    @property
    def bytes(self) -> int:
        """How large a photo may be."""
        return self.mb * 1_000_000

    def refuse_large(self, size: int) -> None:
        """Refuse a file of so many bytes.

        Raises:
            CellCountError: it is too large.
        """
        if size > self.bytes:
            raise CellCountError(
                f"The photo is larger than {self.mb} MB: shrink it or cut it into parts, or ask "
                "whoever runs this page to raise --max-mb."
            )


@dataclass
class Photo:
    """A photo of a visit: how far it is, and what came of it.

    ``file`` is its path, as ``photos_in`` names it, or None of what was refused. ``changed`` is the
    number of the visit's latest change that is a change of this photo.
    """

    number: int
    name: str
    file: Path | None
    state: str = WAITING
    counted: Counted | None = None
    why: str = ""
    changed: int = 0


@dataclass
class Visit:
    """The photos of a visitor, and what was asked about them."""

    limits: Limits
    view: View  # of the photos that the model has learned from
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    settings: Settings = field(default_factory=Settings)
    photos: dict[int, Photo] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)
    changes: int = 0
    seen: float = field(default_factory=time.monotonic)
    _names: dict[Path, str] = field(default_factory=dict)  # of the files, in the visitor's words
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # of what looks into its files
    _made: int = 0

    def __post_init__(self) -> None:
        """Make its folder, which only this user of the computer can look into."""
        self._folder = TemporaryDirectory(prefix="cellcount-app-", ignore_cleanup_errors=True)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return Path(self._folder.name)

    def new_file(self, name: str) -> Path:
        """Where a file of that name is to be written.

        Raises:
            CellCountError: it is no photo by its name, or there are too many.
        """
        if len(self.photos) >= self.limits.photos:
            raise CellCountError(
                f"A visit ends at {self.limits.photos} photos: remove some, or ask whoever runs "
                "this page to raise --max-photos."
            )
        ending = Path(name).suffix.lower()
        if ending not in READ:
            raise CellCountError(f"This is no photo by its name; read are {' '.join(READ)}.")
        self._made += 1
        return self.folder / f"{self._made}{READ[READ.index(ending)]}"

    def add(self, file: Path, name: str, held: "Held") -> list[Photo]:
        """Show the photos in a file that has been written."""
        self._names[file] = self._new_name(name)
        return self.show(file, held)

    def refuse(self, name: str, why: str) -> Photo:
        """Show a file that was not taken, with the reason."""
        return self._show(self._new_name(name), None, why)

    def clear(self) -> list[Path]:
        """Forget all photos but their files, which are returned."""
        self.photos = {number: one for number, one in self.photos.items() if one.file is None}
        return [*self._names]

    def change(self, photo: Photo, **new: object) -> None:
        """Set something of a photo."""
        for name, value in new.items():
            setattr(photo, name, value)
        self.changes += 1
        photo.changed = self.changes

    def change_all(self) -> None:
        """Say that each photo has changed."""
        for photo in self.photos.values():
            self.change(photo)

    def remove(self, photo: Photo) -> None:
        """Forget a photo; its file is deleted unless another photo is in it."""
        del self.photos[photo.number]
        for file in list(self._names):
            if not any(_is_in(one, file) for one in self.photos.values()):
                with suppress(PermissionError):  # on Windows, of one that is being read
                    file.unlink(missing_ok=True)
                del self._names[file]

    def counted(self) -> list[tuple[Photo, Counted]]:
        """The photos that are counted, in their order."""
        every = list(self.photos.values())
        return [(photo, photo.counted) for photo in every if photo.counted is not None]

    def end(self) -> None:
        """Delete all."""
        self._folder.cleanup()

    def show(self, file: Path, held: "Held") -> list[Photo]:
        """Show the photos that a file holds, or why it is refused."""
        if file not in self._names:  # removed meanwhile
            return []
        name, why = self._names[file], held.why.replace(file.name, self._names[file])
        if (left := self.limits.photos - len(self.photos)) < len(held.photos):
            why = f"The file holds {len(held.photos)} photos, and a visit has room for {left} more:"
            why += " save it in parts, or remove others."
        if why:
            return [self._show(name, file, why)]
        self.channels += [one for one in held.channels if one not in self.channels]
        return [self._show(name + one.name[len(file.name) :], one) for one in held.photos]

    def _show(self, name: str, file: Path | None, why: str = "") -> Photo:
        self._made += 1
        photo = Photo(self._made, name, file, FAILED if why else WAITING, why=why)
        self.photos[photo.number] = photo
        self.change(photo)
        return photo

    def _new_name(self, name: str) -> str:
        """A name to show, with a number if the visit has one like it."""
        taken = {*self._names.values(), *(one.name for one in self.photos.values())}
        name, number = plain(name), 1
        stem, ending = Path(name).stem, Path(name).suffix
        while name in taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        return name


class Visits:
    """The visits that are open, by their keys, which cannot be guessed."""

    def __init__(self, limits: Limits, view: View) -> None:
        self._limits, self._view = limits, view
        self._open: dict[str, Visit] = {}

    def begin(self) -> Visit:
        """Open one.

        Raises:
            CellCountError: too many are open.
        """
        self.forget_idle()
        if len(self._open) >= _MOST:
            raise CellCountError("Too many visitors are here: come back in half an hour.")
        visit = Visit(self._limits, self._view)
        self._open[visit.key] = visit
        return visit

    def get(self, key: str) -> Visit | None:
        """The visit of a key, which has given a sign; None if there is none."""
        if visit := self._open.get(key):
            visit.seen = time.monotonic()
        return visit

    def end(self, key: str) -> None:
        """Delete all of a visit."""
        self._open.pop(key).end()

    def forget_idle(self) -> list[str]:
        """End the visits whose page has not been heard of for half an hour; return their keys."""
        old = [k for k, one in self._open.items() if time.monotonic() - one.seen > _IDLE]
        for key in old:
            self.end(key)
        return old

    def end_all(self) -> None:
        """End every visit."""
        for key in list(self._open):
            self.end(key)


def plain(name: str) -> str:
    """A name to show: its last part, without what cannot be printed, and not too long."""
    name = "".join(sign for sign in PureWindowsPath(name).name if sign.isprintable())
    stem, ending = Path(name).stem, Path(name).suffix
    return stem[: _LONGEST - len(ending)] + ending[:_LONGEST] or "photo"


class Held(NamedTuple):
    """The channels and photos of a file, or why it cannot be read."""

    channels: Sequence[str] = ()
    photos: Sequence[Path] = ()
    why: str = ""


def look_into(file: Path, view: View) -> Held:
    """What a file holds."""
    try:
        return Held(channels_in(file), photos_in(file, view))
    except PhotoError as error:
        return Held(why=said(error))


def said(error: PhotoError) -> str:
    """Why a photo cannot be read, without the folder where it lies."""
    cure = "Choose it at the top of the page." if "--channel" in error.cure else error.cure
    return f"{error.problem} {cure}".replace(f"{error.file.parent}{os.sep}", "")


def _is_in(photo: Photo, file: Path) -> bool:
    return photo.file is not None and photo.file.name.startswith(file.name)
