"""From a lock to what must be fetched: where each locked file can be had today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.connected.fetch import Wanted
from bundler.connected.sources import candidates
from bundler.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bundler.connected.cache import Cache
    from bundler.connected.lock import Lock, LockedFile
    from bundler.connected.packageindex import IndexFile


def wanted_pythons(lock: Lock, *, mirrors: Sequence[str]) -> list[Wanted]:
    """Return what to fetch for `lock.pythons`, in their order."""
    return [
        Wanted(
            label=item.row.key,
            candidates=candidates(item.row.url, mirrors=mirrors, sha256=item.row.sha256),
            sha256=item.row.sha256,
            size=item.size,
        )
        for item in lock.pythons
    ]


def wanted_wheels(lock: Lock, *, cache: Cache, listing: Callable[[], Sequence[IndexFile]]) -> list[Wanted]:
    """Return what to fetch for `lock.wheels`, in their order; a wheel for two platforms stands there twice.

    `listing` gives the index's files of uv; it is asked only where a wheel is not in the cache. Raises
    `SourceFault` for a wheel that the index no longer has, or has with other bytes.
    """
    cached = all(cache.path_of(item.wheel.sha256).is_file() for item in lock.wheels)
    files = {} if cached else {file.name: file for file in listing()}
    return [
        Wanted(
            label=item.wheel.file,
            candidates=() if cached else (_address(item.wheel, files.get(item.wheel.file)),),
            sha256=item.wheel.sha256,
            size=item.wheel.size,
        )
        for item in lock.wheels
    ]


def _address(locked: LockedFile, file: IndexFile | None) -> str:
    if file is None:
        raise SourceFault(
            f"{locked.file}: in the lock, but the index does not have it",
            hint="use the index that the lock was made with, or lock again",
        )
    if file.sha256 not in (None, locked.sha256):
        raise SourceFault(
            f"{locked.file}: the index has the sha256 {file.sha256}, the lock {locked.sha256}",
            hint="find out who changed the file before you lock again",
        )
    return file.url
