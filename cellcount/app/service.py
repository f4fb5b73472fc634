"""The detector at work for all visitors: one photo at a time, the visitors' in turn."""

import asyncio
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from cellcount.app.counted import count_photo
from cellcount.app.settings import Settings
from cellcount.app.turns import Turns
from cellcount.app.visits import (
    COUNTED,
    COUNTING,
    FAILED,
    WAITING,
    Limits,
    Photo,
    Visit,
    Visits,
    look_into,
    said,
)
from cellcount.counting.counter import Counter
from cellcount.photos.reading import PhotoError
from cellcount.photos.view import View

_FORGET = 60  # seconds from one look for visits that have ended to the next
_UNFORESEEN = (
    "This photo cannot be counted, for a reason that nobody foresaw: whoever runs this page finds "
    "it in the terminal."
)
Made = TypeVar("Made")


class Service:
    """Visits, and the counting of their photos.

    The detector runs in a thread of its own, and so do the readers of photos that are only shown.
    All else happens in the event loop.
    """

    def __init__(self, counter: Counter, limits: Limits) -> None:
        self.counter, self.limits = counter, limits
        self.visits = Visits(limits, counter.view)
        self._turns: Turns[tuple[Visit, Photo]] = Turns()
        self._detector = ThreadPoolExecutor(1, "detector")
        self._readers = ThreadPoolExecutor(2, "readers")

    def _wait_for(self, visit: Visit, photos: list[Photo]) -> None:
        """Have photos counted when it is their turn."""
        for photo in photos:
            if photo.state == WAITING:
                self._turns.join(visit.key, (visit, photo))

    def before(self, visit: Visit) -> int:
        """How many photos of others come before the visit's next one."""
        return self._turns.before(visit.key)

    async def add(self, visit: Visit, file: Path, name: str) -> list[Photo]:
        """Have the photos in a file counted that has been written."""
        async with visit.lock:
            held = await self.read(look_into, file, self._view(visit))
            photos = visit.add(file, name, held)
            self._wait_for(visit, photos)
        return photos

    async def change(self, visit: Visit, asked: Settings) -> None:
        """Show a visit's photos as is asked; for another channel they are counted again."""
        async with visit.lock:
            again = asked.channel != visit.settings.channel
            visit.settings = asked
            if not again:
                visit.change_all()
                return
            self._turns.leave(visit.key)
            for file in visit.clear():
                held = await self.read(look_into, file, self._view(visit))
                self._wait_for(visit, visit.show(file, held))

    def remove(self, visit: Visit, photo: Photo) -> None:
        """Forget a photo."""
        self._turns.drop(visit.key, lambda waiting: waiting[1] is photo)
        visit.remove(photo)

    def end(self, visit: Visit) -> None:
        """Delete all of a visit."""
        self._turns.leave(visit.key)
        self.visits.end(visit.key)

    async def read(self, function: Callable[..., Made], *arguments: object) -> Made:
        """Run what reads photos beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, function, *arguments)

    async def count(self) -> None:
        """Count photos for ever."""
        loop = asyncio.get_running_loop()
        while True:
            visit, photo = await self._turns.next()
            visit.change(photo, state=COUNTING)
            asked: tuple[Any, ...] = (self.counter, photo.file, photo.name, self._view(visit))
            try:
                counted = await loop.run_in_executor(self._detector, count_photo, *asked)
                visit.change(photo, state=COUNTED, counted=counted)
            except PhotoError as error:
                why = said(error).replace(error.file.name, photo.name)
                visit.change(photo, state=FAILED, why=why)
            except Exception:  # whatever it is, the photos of others are counted
                traceback.print_exc(file=sys.stderr)
                visit.change(photo, state=FAILED, why=_UNFORESEEN)

    def _view(self, visit: Visit) -> View:
        return visit.settings.view(self.counter.view)

    def close(self) -> None:
        """Delete all that visitors have handed in."""
        self.visits.end_all()
        self._detector.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def forget(self) -> None:
        """End visits that nobody looks at any more, for ever."""
        while True:
            await asyncio.sleep(_FORGET)
            for key in self.visits.forget_idle():
                self._turns.leave(key)
