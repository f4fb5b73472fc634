"""Counting in several processes of this machine, which may die: their photos are counted again.

A process loads the model once and is handed a photo at a time through a pipe, so what it dies of is
known, no port is opened, and no more photos are in memory than there are processes.
"""

import os
import pickle
import signal
import threading
import time
import traceback
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cellcount.errors import CellCountError
from cellcount.files import digest
from cellcount.photos.photo_error import PhotoError

if TYPE_CHECKING:
    from cellcount.counting.count import Count

DEATHS = 3  # processes that a photo may end before it is given up

_SPAWN = get_context("spawn")  # a forked child hangs on the threads of torch and OpenVINO
_one_at_a_time = threading.Lock()


class Order(NamedTuple):
    """What processes need to count as this one does.

    ``packed`` is the pickled counter, which names its checkpoint; ``model`` and ``made_by`` are the
    digest of that and the version of this package.
    """

    packed: bytes
    checkpoint: Path
    model: str
    made_by: str
    tile: int | None


class Counted(NamedTuple):
    """A photo, its count or why there is none, and how many seconds that took."""

    photo: Path
    told: "Count | PhotoError"
    seconds: float


Crew = Callable[[Order, Sequence[Path]], Generator[Counted, None, None]]


def order(counter: Any, checkpoint: str | Path, tile: int | None) -> Order:
    """What lets others count as ``counter`` does."""
    path = Path(checkpoint).absolute()
    return Order(pickle.dumps(counter), path, digest(path), version("cellcount"), tile)


def count_one(order: Order, photo: Path) -> "tuple[Count | PhotoError, float]":
    """Count a photo in this process, which keeps the model for the next one.

    Raises:
        CellCountError: this machine has another model, or another version of this package.
    """
    counter, began = _loaded(order), time.perf_counter()
    try:
        with _one_at_a_time:  # threads of a process share its model
            told: Count | PhotoError = counter.count(photo, order.tile)
    except PhotoError as error:
        told = error
    return told, time.perf_counter() - began


def ended(photo: Path) -> PhotoError:
    """The error of a photo that ends whatever counts it."""
    return PhotoError(
        photo,
        f"Counting it has ended the process {DEATHS} times, perhaps for want of memory.",
        "Shrink it, or count it on a machine that has more.",
    )


def processes(number: int) -> Crew:
    """So many processes on this machine, which share its cores."""
    return partial(_on_this_machine, number=number)


def _on_this_machine(
    order: Order, photos: Sequence[Path], number: int
) -> Generator[Counted, None, None]:
    waiting, deaths = deque(photos), Tally[Path | None]()
    threads = max(1, _cores() // number)
    hands: dict[Any, _Hand] = {}
    try:
        while hands or waiting:
            busy = sum(hand.photo is not None for hand in hands.values())
            while len(hands) < min(number, len(waiting) + busy):
                hand = _Hand(order, threads)
                hands[hand.pipe] = hand
            for hand in [hands[pipe] for pipe in wait([*hands])]:
                try:
                    told = hand.pipe.recv()
                except (EOFError, OSError):  # it was killed, perhaps in the midst of an answer
                    del hands[hand.pipe]
                    hand.end()
                    yield from _mourned(hand.photo, deaths, waiting)
                    continue
                if isinstance(told, Exception):
                    raise told
                if hand.photo:
                    yield Counted(hand.photo, *told)
                else:
                    deaths[None] = 0  # it has loaded the model
                if waiting:
                    hand.begin(waiting.popleft())
                else:
                    del hands[hand.pipe]
                    hand.end()
    finally:
        for hand in hands.values():
            hand.end()


def _mourned(
    photo: Path | None, deaths: Tally[Path | None], waiting: deque[Path]
) -> Generator[Counted, None, None]:
    """Hand the photo that a process has died of to another, or give it up."""
    deaths[photo] += 1
    if photo is not None and deaths[photo] < DEATHS:
        waiting.append(photo)
    elif photo is not None:
        yield Counted(photo, ended(photo), 0.0)
    elif deaths[None] >= DEATHS:
        raise CellCountError(
            f"The processes that count have ended {DEATHS} times while they loaded the model, "
            "perhaps for want of memory: ask for fewer with --workers."
        )


class _Hand:
    """A process that counts, and the photo that it is at; None while it loads the model."""

    def __init__(self, order: Order, threads: int) -> None:
        self.photo: Path | None = None
        self.pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, order), daemon=True)
        before = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = before or str(threads)
        try:
            self._process.start()
        finally:
            if before is None:
                del os.environ["OMP_NUM_THREADS"]
        theirs.close()

    def begin(self, photo: Path) -> None:
        """Hand it a photo."""
        self.photo = photo
        with suppress(OSError):  # it has just died, as the next look at the pipe shows
            self.pipe.send(photo)

    def end(self) -> None:
        """End it, whatever it is at."""
        self.pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(pipe: Connection, order: Order) -> None:
    """Count the photos that come through a pipe, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    with suppress(EOFError, OSError):  # which has gone
        pipe.send(_tried(_load, order))
        while True:
            pipe.send(_tried(count_one, order, pipe.recv()))


def _tried(work: Callable[..., Any], *given: Any) -> Any:
    """What ``work`` gives, or the error that it raises, as a process can be told it."""
    try:
        return work(*given)
    except CellCountError as error:
        return error
    except Exception:
        return RuntimeError(traceback.format_exc())


def _load(order: Order) -> None:
    _loaded(order)


@lru_cache(maxsize=1)
def _loaded(order: Order) -> Any:
    if version("cellcount") != order.made_by:
        raise CellCountError(
            f"A worker has version {version('cellcount')} of cellcount and not {order.made_by}: "
            "install the same everywhere."
        )
    if not order.checkpoint.is_file() or digest(order.checkpoint) != order.model:
        raise CellCountError(
            f"A worker does not find this model under {order.checkpoint}: put it on a disk that "
            "all machines have under one path."
        )
    return pickle.loads(order.packed)


def _cores() -> int:
    """The processor's cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
