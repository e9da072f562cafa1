"""An audit log, verified from its start and read as it was verified, in flat memory (FORMAT.md §10)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.text import counted
from bundler.errors import DamagedFault
from bundler.offline.audit import open_log
from bundler.offline.auditlog import START, Chain, Entry, Stump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A log of which every entry fits what stands before it: how much of it, and its head.

    `size` is in bytes: what is appended afterwards is no part of it. `last_stump` is the line that ends it
    where that is no entry.
    """

    path: Path
    size: int
    entries: int
    stumps: int
    last_stump: Stump | None
    head: str


class _Front:
    """The first `size` bytes of a file, line by line."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        stream.seek(0)
        self._stream, self._left = stream, size

    def readline(self, limit: int) -> bytes:
        """Return a line, or `limit` bytes of it, or what is left."""
        data = self._stream.readline(min(limit, self._left))
        self._left -= len(data)
        return data


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a log for reading; raises `HostFault`, or `FileNotFoundError`."""
    with host_faults(path), os.fdopen(open_log(path, os.O_RDONLY), "rb", buffering=1 << 16) as stream:
        yield stream


def verify_log(stream: BinaryIO, path: Path, *, noted: str | None = None) -> Verified:
    """Check that every entry fits what stands before it, and that `noted` was the head of this log once.

    Raises `DamagedFault` with the line, what was found and what was expected.
    """
    size = os.fstat(stream.fileno()).st_size
    chain, seen, last = Chain(), noted in (None, START), None
    for line in _follow(chain, stream, path, size):
        seen, last = seen or chain.head == noted, line
    if not seen:
        raise DamagedFault(
            f"{path}: the sha256 {noted} stands behind none of its {counted(chain.entries, 'event')}, "
            "expected it behind one",
            hint="since then lines were cut off or changed, or this is another log: find out who did it",
        )
    return Verified(
        path=path,
        size=size,
        entries=chain.entries,
        stumps=chain.stumps,
        last_stump=last if isinstance(last, Stump) else None,
        head=chain.head,
    )


def read_verified(stream: BinaryIO, verified: Verified) -> Iterator[Entry | Stump]:
    """Yield the lines of a verified log; raises `DamagedFault` where they are other ones by now."""
    chain = Chain()
    yield from _follow(chain, stream, verified.path, verified.size)
    if chain.head != verified.head:
        raise DamagedFault(
            f"{verified.path}: sha256 of the last line is {chain.head}, expected {verified.head}, "
            "which it was a moment ago",
            hint="somebody changes the log: find out who did it",
        )


def _follow(chain: Chain, stream: BinaryIO, path: Path, size: int) -> Iterator[Entry | Stump]:
    try:
        yield from chain.follow(cast("BinaryIO", _Front(stream, size)))
    except Fault as fault:
        raise DamagedFault(
            f"{path}: {fault}",
            hint="this line, or one before it, was changed, removed or inserted: find out who did it, "
            "then move the file away, and the next run begins a new one",
        ) from None
