"""Files put onto a medium so that they stay there when it is pulled out a moment later.

Each is written under a temporary name, synced, renamed, and its folder synced: with less a drive was left
without the file, or with the file under its temporary name (measured on ext4, exFAT and NTFS). Modes are set
where there are any, so that whoever plugs the drive in elsewhere can read it; a file system without them says
so with errors, which count for nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.digest import Digest, read_chunks
from bundler.core.durable import host_faults, sync_folder, write_all
from bundler.errors import DamagedFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bundler.core.progress import Progress

_SYNC_EVERY = 64 << 20  # bytes: progress then tells of the drive and not of memory
_MODE = 0o644  # whatever the umask
_NOT_THERE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # how file systems say that they have no such call


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A file that was written: its digest, its size in bytes, and whether its name is durable as well."""

    digest: Digest
    size: int
    durable: bool


def temporary_path(target: Path) -> Path:
    """Return the path under which `target` grows: always the same, so that a later run replaces it."""
    return target.with_name(f".{target.name}.part")


def put_file(source: Path, target: Path, *, size: int, progress: Progress) -> Put:
    """Copy a file that has `size` bytes; it is hashed on its way.

    Raises `HostFault`, and `DamagedFault` where the source has another size by now; `target` is then what it
    was before.
    """
    return _put(_watched(source, size, progress), target)


def put_bytes(data: bytes, target: Path) -> Put:
    """Write a small file in the same way; raises `HostFault`."""
    return _put([data], target)


def _watched(source: Path, size: int, progress: Progress) -> Iterator[bytes]:
    chunks, left = read_chunks(source), size
    while True:
        with host_faults(source):
            data = next(chunks, b"")
        left -= len(data)
        if left < 0 or (left and not data):
            raise DamagedFault(
                f"{source}: has {'more' if left < 0 else 'fewer'} bytes than the {size} that it had before",
                hint="wait until nothing writes to it, then run the command again",
            )
        if not data:
            return
        yield data
        progress.advance(len(data))


def _put(chunks: Iterable[bytes], target: Path) -> Put:
    temporary, state, size, unsynced = temporary_path(target), hashlib.sha256(), 0, 0
    with host_faults(target):
        temporary.unlink(missing_ok=True)
        handle = _create(temporary, target)
    try:
        try:
            for data in chunks:
                state.update(data)
                with host_faults(target):
                    size += write_all(handle, data)
                    unsynced += len(data)
                    if unsynced >= _SYNC_EVERY:
                        os.fsync(handle)
                        unsynced = 0
            with host_faults(target):
                os.fsync(handle)
        finally:
            with host_faults(target):
                os.close(handle)
        with host_faults(target):
            temporary.replace(target)
            durable = _sync_names(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong is told; a drive that is gone has no file either
            temporary.unlink(missing_ok=True)
        raise
    return Put(digest=Digest(state.hexdigest()), size=size, durable=durable)


def _create(temporary: Path, target: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(temporary, flags, _MODE)
    except OSError as error:  # people know the file by its own name
        raise OSError(error.errno, error.strerror, str(target)) from None
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):
            os.fchmod(handle, _MODE)
    return handle


def _sync_names(folder: Path) -> bool:
    """Sync a folder; tell whether the file system has such a thing. Raises `OSError` where it fails."""
    try:
        sync_folder(folder)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return os.name != "nt"
