"""The folder of a trust store: changed by one process at a time, and tidied of what a killed one left."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, try_lock
from bundler.errors import LockedFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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

    The lock is on the folder, so no file is left. Windows, and file systems that cannot lock a folder, go
    without: there the last of two that come at the same moment wins. Raises `LockedFault` without waiting.
    """
    if os.name == "nt":
        yield
        return
    with host_faults(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            if not try_lock(handle):
                raise busy(folder)
            _sweep(folder)
        yield
    finally:
        os.close(handle)
