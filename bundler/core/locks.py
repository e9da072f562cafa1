"""One process at a time: locks on files and folders that nobody waits for."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.errors import LockedFault


@contextlib.contextmanager
def lock_file(path: Path, *, busy: LockedFault, needed: bool = True) -> Iterator[None]:
    """Hold the lock of a file that is made for it; raises `busy` where another process does, `HostFault`.

    Where it is not `needed`, a file system without locks holds nothing.
    """
    with host_faults(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        mine = True
        with host_faults(path) if needed else contextlib.suppress(OSError):
            mine = try_lock(handle)
        if not mine:
            raise busy
        yield
    finally:
        with contextlib.suppress(OSError):  # nothing was written to it, so nothing can be lost
            os.close(handle)


@contextlib.contextmanager
def lock_folder(folder: Path, *, busy: LockedFault) -> Iterator[None]:
    """Hold the lock of the folder itself, which leaves no file in it; raises `busy` as `lock_file` does.

    Where there are no such locks (Windows, NFS) it holds nothing.
    """
    handle = None
    with contextlib.suppress(OSError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
    try:
        mine = True
        if handle is not None:
            with contextlib.suppress(OSError):
                mine = try_lock(handle)
        if not mine:
            raise busy
        yield
    finally:
        if handle is not None:
            os.close(handle)
