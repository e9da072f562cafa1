"""The encoder of zlib-rs 0.5 and 0.6 and of zlib-ng 2.2 and 2.3 at level 6, in pure Python: it cannot drift.

The output hangs on the writes by which the input came and on the buffer that the output went to, because
deflate_medium looks one match ahead and forgets that match whenever it returns, yet leaves its position in
the chains. Both are replayed: the writes of tar-rs, and the buffer of flate2.
"""

from __future__ import annotations

from bundler.deflate.mediumstate import MediumState
from bundler.deflate.tarwrites import TarWrites

_BATCH = 1 << 18  # bytes of input that are prepared at once


class MediumEncoder:
    """Raw deflate of tars as flate2 with zlib-rs writes it at level 6.

    `max_lazy` is 17 for zlib-rs 0.5.2 and 16 for 0.6.3.
    """

    def __init__(self, *, max_lazy: int = 16) -> None:
        self._state = MediumState(max_lazy=max_lazy)
        self._writes = TarWrites()
        self._sizes: list[int] = []  # of writes whose bytes wait for a batch
        self._fresh: list[bytes] = []
        self._fresh_size = 0

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take more of the tar, in pieces of any size; return what is ready of the output."""
        for begin in range(0, len(data), _BATCH):
            piece = bytes(data[begin : begin + _BATCH])
            self._sizes += self._writes.feed(piece)
            self._fresh.append(piece)
            self._fresh_size += len(piece)
            if self._fresh_size >= _BATCH:
                self._run_batch()
        return self._state.take()

    def finish(self) -> bytes:
        """Return the rest of the output; nothing may be fed after that."""
        self._sizes += self._writes.finish()
        self._run_batch()
        self._state.finish()
        return self._state.take()

    def _run_batch(self) -> None:
        """Compress the writes that are complete; the bytes of the last one may still wait."""
        self._state.load(self._fresh)
        for size in self._sizes:
            self._state.write(size)
        self._fresh.clear()
        self._fresh_size = 0
        self._sizes.clear()
