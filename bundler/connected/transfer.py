"""What one transfer is about, what may come of it, and the simplest kind: a copy of a local file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.connected.partial import Partial
from bundler.core.digest import read_chunks

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bundler.connected.patience import Patience
    from bundler.core.digest import Digest
    from bundler.core.progress import Progress


class Refused(Exception):
    """A place does not have the file; `unreachable` where nothing answered at all."""

    def __init__(self, why: str, *, unreachable: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.unreachable = unreachable


class Stopped(Exception):
    """The person, or a failure elsewhere, ended the whole fetch."""


class Meter:
    """Tells the progress how far one file has come; bytes that come a second time are not counted."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._mark = 0

    def reached(self, position: int) -> None:
        """Say that the file has arrived up to `position`."""
        if position > self._mark:
            self._progress.advance(position - self._mark)
            self._mark = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file that is wanted, how long it is worth waiting for, and who is to hear of it.

    `note` is about this file, `warn` about its host: said once for all files.
    """

    sha256: Digest | None
    size: int | None
    patience: Patience
    meter: Meter
    note: Callable[[str], None]
    warn: Callable[[str], None]
    stop: threading.Event

    @property
    def limit(self) -> int:
        """The most bytes to take."""
        return self.patience.largest if self.size is None else self.size

    def check(self, digest: Digest, size: int) -> None:
        """Raise `Refused` where the bytes that came are not the ones wanted."""
        if self.size is not None and size != self.size:
            raise Refused(f"has {size} bytes, expected {self.size}")
        if self.sha256 is not None and digest != self.sha256:
            raise Refused(f"has the sha256 {digest}, expected {self.sha256}")


def copy_local(job: Job, *, source: Path, target: Path) -> tuple[Digest, int]:
    """Copy a local file to `target`, return digest and size; raises `Refused` where it is another file."""
    partial = Partial(target)
    chunks = read_chunks(source)
    with partial.appending() as append:
        while data := _next(chunks):
            if job.stop.is_set():
                raise Stopped
            if partial.size + len(data) > job.limit:
                raise Refused(f"has more than {job.limit} bytes")
            append(data)
            job.meter.reached(partial.size)
    job.check(partial.digest, partial.size)
    return partial.digest, partial.size


def _next(chunks: Iterator[bytes]) -> bytes:
    try:
        return next(chunks, b"")
    except OSError as error:
        raise Refused((error.strerror or str(error)).lower()) from None
