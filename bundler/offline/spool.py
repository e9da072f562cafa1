"""Decoded contents on disk, while artifacts are rebuilt from them (FORMAT.md §15).

All of them lie in one file, so that any number of sources takes one descriptor. It is never synced: what is
in it is worth nothing after the run.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from bundler.core.recipe import Range, Source

_CHUNK = 1 << 18  # bytes read at a time: an encoder's next piece


class Spool:
    """Contents by their source; written by one thread, read by any. Use it in a `with`: it leaves no file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._places: dict[Source, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()  # Windows has no pread: there a read moves where the next write goes

    def __enter__(self) -> Spool:  # noqa: PYI034  # typing.Self needs Python 3.11
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with host_faults(self._file):
            self._handle = os.open(self._file, flags, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with host_faults(self._file):
            try:
                os.close(self._handle)
            finally:
                self._file.unlink(missing_ok=True)

    def __contains__(self, source: Source) -> bool:
        return source in self._places

    def add(self, source: Source, chunks: Iterable[bytes]) -> None:
        """Take the content of `source`; it can be read once all of it is there."""
        begin = self._end
        for data in chunks:
            with host_faults(self._file), self._lock:
                os.lseek(self._handle, self._end, os.SEEK_SET)
                self._end += write_all(self._handle, data)
        self._places[source] = (begin, self._end - begin)

    def size(self, source: Source) -> int:
        """Return how many bytes of content `source` has."""
        return self._places[source][1]

    def read(self, source: Source, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes of the content of `source`, which has them, in pieces."""
        at = self._places[source][0] + offset
        if 0 < length <= _CHUNK:  # nearly all of them, and thousands
            data = self._pread(length, at)
            yield data
            at, length = at + len(data), length - len(data)
        end = at + length
        while at < end:
            data = self._pread(min(_CHUNK, end - at), at)
            at += len(data)
            yield data

    def join(self, ranges: Iterable[Range]) -> Iterator[bytes]:
        """Yield the bytes of all `ranges`, one after the other."""
        for one in ranges:
            yield from self.read(one.source, one.offset, one.length)

    def _pread(self, count: int, at: int) -> bytes:
        try:
            data = _read_at(self._handle, count, at, self._lock)
        except OSError:
            with host_faults(self._file):
                raise
        if not data:
            with host_faults(self._file):
                raise OSError(f"expected {count} bytes at {at}, found the end of the file")
        return data


def _read_at(handle: int, count: int, at: int, lock: threading.Lock) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, count, at)
    with lock:
        os.lseek(handle, at, os.SEEK_SET)
        return os.read(handle, count)
