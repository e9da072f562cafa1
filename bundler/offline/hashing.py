"""A digest computed beside the work that produces the bytes, on a core of its own.

hashlib lets go of the interpreter lock for large updates, so a thread is enough. It is started with the
first large chunk: for small files it would cost more than it saves.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from bundler.core.digest import Digest
from bundler.offline.handover import Handover

if TYPE_CHECKING:
    from types import TracebackType

_LARGE = 1 << 18  # bytes from which on a chunk is worth a thread
_AHEAD = 3  # chunks that wait or are hashed: with blocks of 4 MiB there are 16 MiB in flight


class HashBeside:
    """A running SHA-256 that is fed from one thread and computed in another; use it in a `with`."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._beside: tuple[Handover[bytes], threading.Thread] | None = None
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
            chunks: Handover[bytes] = Handover(_AHEAD)
            thread = threading.Thread(target=self._run, args=(chunks,), daemon=True)
            thread.start()
            self._beside = (chunks, thread)  # not before: one that a signal kept from starting cannot end
        self._beside[0].give(data)

    def result(self) -> tuple[Digest, int]:
        """Wait for the last chunk; return the digest and the count of bytes."""
        self._finish()
        return Digest(self._state.hexdigest()), self._size

    def _finish(self) -> None:
        if self._beside is not None:
            chunks, thread = self._beside
            self._beside = None
            chunks.end()
            thread.join()

    def _run(self, chunks: Handover[bytes]) -> None:
        for data in chunks.taken():
            self._state.update(data)
