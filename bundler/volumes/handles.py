"""Files of a set, read at places; only so many of them are open at a time (FORMAT.md §17)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.durable import read_up_to
from bundler.errors import BundlerError
from bundler.volumes.survey import open_regular

if TYPE_CHECKING:
    from pathlib import Path

MAX_OPEN = 100  # a process may have 256 on macOS


class Handles:
    """Open files by path; the one that was not read for the longest time is closed first.

    A file that is opened again may be another one by then: each block is hashed whenever it is read.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Path, BinaryIO] = OrderedDict()

    def read(self, path: Path, at: int, count: int) -> bytes:
        """Return up to `count` bytes from `at` on, fewer at the end of the file. Raises `OSError`."""
        stream = self._open.get(path)
        if stream is None:
            if len(self._open) >= MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            try:
                stream = self._open[path] = open_regular(path)
            except BundlerError as fault:
                raise OSError(fault.message) from None
        self._open.move_to_end(path)
        stream.seek(at)
        return read_up_to(stream, count)

    def close(self) -> None:
        """Close all files; they were only read."""
        while self._open:
            self._open.popitem()[1].close()
