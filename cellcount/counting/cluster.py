"""Counting on a Dask cluster that is there already: its workers see photos and model by their path.

Photos are handed out a few at a time, so that a million of them wait here and not at the scheduler.
Dask gives the photos of a worker that died to another, until its patience ends
(``allowed-failures`` of the scheduler, 3). What it gives up on is counted once more in the end,
with no other photo under way that could be to blame.
"""

from collections import deque
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cellcount.counting.workers import Counted, Crew, Order, count_one, ended
from cellcount.errors import CellCountError
from cellcount.photos.remote import is_remote
from cellcount.photos.view import inside

ADD = "python -m pip install -r requirements-cluster.txt"
PATIENCE = 60  # seconds without any worker
_AHEAD = 2  # photos under way for each worker: one is counted while the next is sent
_GO_ON = "The same command goes on from there."


class _NotSeenError(Exception):
    """A worker does not see a photo."""


def dask_cluster(address: str) -> Crew:
    """The workers of a Dask scheduler, as tcp://10.0.0.5:8786."""
    return partial(_on_cluster, address=address)


def _on_cluster(
    order: Order, photos: Sequence[Path], address: str
) -> Generator[Counted, None, None]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise CellCountError(f"Dask is not installed: {ADD}") from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise CellCountError(
            f"No Dask scheduler answers at {address}: check the address, which `dask scheduler` "
            "prints when it starts, as tcp://10.0.0.5:8786."
        ) from error
    with client:
        given_up: list[Path] = []
        yield from _counted(client, order, photos, given_up)
        alone, given_up = given_up, []
        for photo in alone:
            yield from _counted(client, order, [photo], given_up)
        for photo in given_up:
            yield Counted(photo, ended(photo), 0.0)


def _counted(
    client: Any, order: Order, photos: Sequence[Path], given_up: list[Path]
) -> Generator[Counted, None, None]:
    from distributed import KilledWorker, wait

    waiting, idle = deque(photos), 0
    under_way: dict[Any, Path] = {}
    while waiting or under_way:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        while waiting and len(under_way) < _AHEAD * max(1, workers):
            photo = waiting.popleft()
            under_way[client.submit(_count_there, order, _placed(photo), pure=False)] = photo
        try:
            done = wait([*under_way], timeout=5, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            idle = 0 if workers else idle + 5
            if idle >= PATIENCE:
                raise CellCountError(
                    f"No worker is left at {client.scheduler.address}: start some. {_GO_ON}"
                ) from None
            continue
        for future in done:
            photo = under_way.pop(future)
            try:
                yield Counted(photo, *future.result())
            except KilledWorker:
                given_up.append(photo)
            except Exception as error:  # whatever it was there, it comes back as it was raised
                raise _explained(error, client.scheduler.address) from error


def _count_there(order: Order, photo: Path) -> Any:
    if not is_remote(photo) and not inside(photo).file.exists():
        raise _NotSeenError(str(photo))
    return count_one(order, photo)


def _placed(photo: Path) -> Path:
    return photo if is_remote(photo) else photo.absolute()


def _explained(error: Exception, address: str) -> Exception:
    if isinstance(error, _NotSeenError):
        return CellCountError(
            f"A worker at {address} does not see {error}: put photos and model on a disk that all "
            "machines have under one path, or count on this machine with --workers."
        )
    if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
        return CellCountError(f"The Dask scheduler at {address} has gone. {_GO_ON}")
    missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
    if isinstance(missing, ModuleNotFoundError):
        return CellCountError(
            f"A worker at {address} has no {missing.name}: install this project there, and start "
            "the worker in that environment."
        )
    return error
