"""Do one thing for many items on a few threads, and leave at once when the person asks for it."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")
_POLL = 0.2  # seconds; on Windows a wait without end would not hear Ctrl-C


def each(work: Callable[[T, threading.Event], R], items: Sequence[T], *, workers: int) -> list[R]:
    """Return `work(item, stop)` for each item, in order; the first exception ends all of it and is raised.

    `stop` is set when it is time to leave: work that goes on for long looks at it. On Ctrl-C this returns
    within about a second; threads that wait for a silent server are left to die with the program, which
    is why they are daemons and no executor's.
    """
    stop = threading.Event()
    todo: queue.SimpleQueue[tuple[Future[R], T]] = queue.SimpleQueue()
    results: list[Future[R]] = [Future() for _ in items]
    for future, item in zip(results, items, strict=True):
        todo.put((future, item))

    def labour() -> None:
        while not stop.is_set():
            try:
                future, item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                future.set_result(work(item, stop))
            except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
                future.set_exception(error)

    threads = [threading.Thread(target=labour, daemon=True) for _ in range(min(workers, len(items)))]
    for thread in threads:
        thread.start()
    try:
        waiting: set[Future[R]] = set(results)
        while waiting:
            finished, waiting = wait(waiting, timeout=_POLL, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=_POLL)
    return [future.result() for future in results]
