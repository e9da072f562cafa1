"""A digest computed beside the work that produces the bytes, on a core of its own.

hashlib lets go of the interpreter lock for large updates, so a thread is enough. It is started with the
first large chunk: for small files it would cost more than it saves.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import TYPE_CHECKING

from bundler.core.digest import Digest

if TYPE_CHECKING:
    from types import TracebackType

_LARGE = 1 << 18  # bytes from which on a chunk is worth a thread
_AHEAD = 2  # chunks that may wait: with blocks of 4 MiB there are 16 MiB in flight


class HashBeside:
    """A running SHA-256 that is fed from one thread and computed in another; use it in a `with`."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._beside: tuple[queue.Queue[bytes | None], threading.Thread] | None = None
        self._size = 0

    def __enter__(self) -> HashBeside:  # noqa: PYI034  # typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()

    def update(self, data: bytes) -> None:
        """Hash `data` after what came before; `data` must not change afterwards."""
        self._size += len(data)
        if self._beside is None:
            if len(data) < _LARGE:
                self._state.update(data)
                return
            chunks: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
            self._beside = (chunks, threading.Thread(target=self._run, args=(chunks,), daemon=True))
            self._beside[1].start()
        self._beside[0].put(data)

    def result(self) -> tuple[Digest, int]:
        """Wait for the last chunk; return the digest and the count of bytes."""
        self._finish()
        return Digest(self._state.hexdigest()), self._size

    def _finish(self) -> None:
        if self._beside is not None:
            chunks, thread = self._beside
            self._beside = None
            chunks.put(None)
            thread.join()

    def _run(self, chunks: queue.Queue[bytes | None]) -> None:
        while (data := chunks.get()) is not None:
            self._state.update(data)
