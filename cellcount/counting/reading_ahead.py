"""Reading the next photo, or tile, while the network computes the one before."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Of = TypeVar("_Of")
_Read = TypeVar("_Read")


def read_ahead(
    several: Sequence[_Of], read: Callable[[_Of], _Read]
) -> Iterator[tuple[_Of, Callable[[], _Read]]]:
    """Each of several once it is read, while the next one, and no more, is being read.

    What comes with it gives what was read, or raises what reading it has raised.
    """
    with ThreadPoolExecutor(1) as pool:
        following = [pool.submit(read, one) for one in several[:1]]
        for number, one in enumerate(several):
            present = following.pop()
            present.exception()  # waits
            following += [pool.submit(read, next) for next in several[number + 1 :][:1]]
            yield one, present.result
