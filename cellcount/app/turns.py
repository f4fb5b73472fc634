"""Whose photo is counted next, where one detector counts for all visitors."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

One = TypeVar("One")


class Turns(Generic[One]):
    """Waiting things of several owners, one of each in turn: many of one keep nobody else waiting.

    All methods are called in one event loop, by which no two run at the same time.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[One]] = {}  # whose turn comes first is first
        self._some = asyncio.Event()

    def join(self, owner: str, one: One) -> None:
        """Put a thing behind the others of its owner."""
        self._lines.setdefault(owner, deque()).append(one)
        self._some.set()

    def leave(self, owner: str) -> None:
        """Forget all things of an owner."""
        self._lines.pop(owner, None)

    def drop(self, owner: str, unwanted: Callable[[One], bool]) -> None:
        """Forget some things of an owner, who keeps the turn."""
        if left := deque(one for one in self._lines.get(owner, ()) if not unwanted(one)):
            self._lines[owner] = left
        else:
            self.leave(owner)

    async def next(self) -> One:
        """Take the thing whose turn it is, as soon as there is one."""
        while not self._lines:
            self._some.clear()
            await self._some.wait()
        owner = next(iter(self._lines))
        line = self._lines.pop(owner)
        one = line.popleft()
        if line:
            self._lines[owner] = line  # behind all others
        return one

    def before(self, owner: str) -> int:
        """How many things of others come before the owner's first."""
        return list(self._lines).index(owner) if owner in self._lines else 0
