"""The folder of a trust store: changed by one process at a time, and tidied of what a killed one left."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, make_folder, try_lock
from bundler.errors import LockedFault
from bundler.signing.guard import check_guarded_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_NAME = ".lock"


def make_store(folder: Path) -> None:
    """Make the folder of a store; where others could change it, raise `SignatureFault` and make nothing."""
    with host_faults(folder):
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    check_guarded_folder(nearest)
    make_folder(folder)


def busy(folder: Path) -> LockedFault:
    """Return what to raise where somebody else changes the store in `folder` at this moment."""
    return LockedFault(
        f"{folder}: another uv-bundler is changing this trust store",
        hint="wait until it has ended, then run the command again",
    )


def _sweep(folder: Path) -> None:
    """Remove what a run that was killed has left of files that were to appear; nobody else writes now."""
    for name in ("trust.json", "allowed_signers", "revoked_keys"):
        for stray in folder.glob(f".{name}.*.tmp"):
            stray.unlink()


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the store in `folder` for a change: what was compared must still be there when it is replaced.

    What an earlier run that was killed has left of its writing is removed.

    The lock is a file that nobody else can open: a lock on the folder could be held by everybody who reads
    it, for ever. The file is gone afterwards. Windows, and file systems without locks, go without: there the
    last of two that come at the same moment wins. Raises `LockedFault` without waiting, and `SignatureFault`
    where others could change the folder.
    """
    check_guarded_folder(folder)
    if os.name == "nt":
        yield
        return
    path = folder / _LOCK_NAME
    handle = _locked(path)
    try:
        with contextlib.suppress(OSError):
            _sweep(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is held: whoever has opened it meanwhile sees that it is gone
        os.close(handle)


def _locked(path: Path) -> int:
    while True:
        with host_faults(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            mine = try_lock(handle)
        except OSError:
            return handle
        if not mine:
            os.close(handle)
            raise busy(path.parent)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.lstat()):
                return handle
        os.close(handle)
