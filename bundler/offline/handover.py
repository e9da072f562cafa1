"""Things handed from one thread to another, a few of which may wait; safe where a signal interrupts either.

`queue.Queue` is not: where the handler of a signal raises while it notifies, as that of Ctrl-C does, a waiter
is left behind, and the next notice wakes nobody (Python 3.11). Queues of C have no such place.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Handover(Generic[T]):
    """What one thread gives and another takes, in its order; `ahead` may wait or be worked at."""

    def __init__(self, ahead: int) -> None:
        self._given: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ahead = ahead
        for _ in range(ahead):
            self._places.put(None)

    def give(self, one: T) -> None:
        """Hand it over; waits where too many are."""
        self._places.get()
        self._given.put((one,))

    def end(self) -> None:
        """Say that nothing more comes; never waits."""
        self._given.put(None)

    def taken(self) -> Iterator[T]:
        """Yield what was given until the end; the next one is asked for when one is done."""
        while (given := self._given.get()) is not None:
            yield given[0]
            self._places.put(None)

    def wait(self) -> None:
        """Return once all that was given is done."""
        for _ in range(self._ahead):
            self._places.get()
        for _ in range(self._ahead):
            self._places.put(None)
