"""Run jobs on all cores, always the heaviest that waits, so that none is left alone at the end."""

from __future__ import annotations

import heapq
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class Left(Exception):
    """The block was left with an exception: what a job makes is of no use any more."""


class Heaviest:
    """A pool of threads; what they run releases the interpreter's lock, as hashes and compressors do.

    Leaving the block waits for the jobs that run, and with an exception for no other: those that run for
    long call `go_on` now and then, so that Ctrl-C does not wait for them either.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []
        self._number = count()

    def __enter__(self) -> Heaviest:  # noqa: PYI034  # Self is in typing from Python 3.11 on
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._left.set()
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def go_on(self) -> None:
        """Do nothing, or raise `Left` in a job that nobody waits for any more."""
        if self._left.is_set():
            raise Left

    def submit(self, weight: float, job: Callable[[], T]) -> Future[T]:
        """Run the job once a thread is free and nothing heavier waits; of equal ones the first goes first."""
        future: Future[T] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (-weight, next(self._number), future, job))
        self._pool.submit(self._next)
        return future

    def _next(self) -> None:
        with self._lock:
            _, _, future, job = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001  # carried to who waits for the result
            future.set_exception(error)
