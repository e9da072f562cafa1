"""Half-written files of runs that were killed, removed by the next run in the same folder.

They may be as large as the medium, have names that nobody sees, and are of no use to anybody.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OURS = re.compile(r"\..+\.(?:uvb|SHA256SUMS)\.[a-z0-9_]{8}\.tmp")  # as `tempfile` ends names
_STALE = 600.0  # seconds: what another command, which does not hold the lock, writes is younger


@contextlib.contextmanager
def swept(folder: Path) -> Iterator[None]:
    """Remove what killed runs have left in the folder, unless another one is at work there; run the block.

    A run is known by its lock on the folder. Where folders cannot be locked nothing is removed. Never raises.
    """
    handle = _open(folder)
    if handle is None:
        yield
        return
    try:
        if _lock(handle, alone=True):
            _sweep(folder)
        _lock(handle, alone=False)
        yield
    finally:
        os.close(handle)


def _open(folder: Path) -> int | None:
    if sys.platform == "win32":  # folders cannot be opened there
        return None
    with contextlib.suppress(OSError):
        return os.open(folder, os.O_RDONLY)
    return None


def _lock(handle: int, *, alone: bool) -> bool:
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            return True
    return False


def _sweep(folder: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for one in entries:
            if _OURS.fullmatch(one.name):
                facts = one.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) and time.time() - facts.st_mtime > _STALE:
                    os.unlink(one.path)  # noqa: PTH108
