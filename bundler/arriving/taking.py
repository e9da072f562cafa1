"""Take a file over from a folder that others write: as it was seen, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from bundler.arriving.arrivals import Identity
from bundler.core.digest import CHUNK
from bundler.core.durable import host_faults, sync_folder, whole_file
from bundler.errors import BundlerError, HostFault
from bundler.volumes.survey import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.arriving.arrivals import Arrival

_MODE = 0o644


def take(arrival: Arrival, target: Path, *, keep: bool) -> bool:
    """Move the file to `target`, or copy it: to another file system, or where it is to be kept.

    False where it is no more what it was, by then or in between: nothing has changed then. It is durable at
    its new place before it leaves the old one. Raises `HostFault`.
    """
    stream = _open(arrival)
    if stream is None:
        return False
    with stream, host_faults(arrival.path):
        if not _is_as_seen(stream, arrival):
            return False
        if os.name != "nt":  # there only what is open for writing can be synced
            os.fsync(stream.fileno())
    if not keep and (moved := _move(arrival, target)) is not None:
        return moved
    if not _copy(arrival, target):
        return False
    if not keep:
        remove(arrival)
    return True


def remove(arrival: Arrival) -> None:
    """Remove the file from where it arrived, where it still is what was seen. Raises `HostFault`."""
    with host_faults(arrival.path):
        try:
            if Identity.of(arrival.path.lstat()) == arrival.identity:
                arrival.path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise _not_ours(arrival.path, error) from None


def _move(arrival: Arrival, target: Path) -> bool | None:
    """Rename the file; None where that is another file system, False where somebody put another one there."""
    try:
        arrival.path.rename(target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EXDEV:
            return None
        raise _not_ours(arrival.path, error) from None
    with host_faults(target):
        facts = target.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_ino != arrival.identity.inode:
            target.rename(arrival.path)  # it goes back as it came, unread
            return False
        if os.name != "nt" and facts.st_uid == os.geteuid():
            target.chmod(_MODE)  # whoever unpacks may be another user
        sync_folder(target.parent)
    return True


def _copy(arrival: Arrival, target: Path) -> bool:
    """Copy the file; False where it changed meanwhile."""
    stream = _open(arrival)
    if stream is None:
        return False
    with stream:
        with whole_file(target, mode=_MODE) as out:
            left = arrival.identity.size
            while left and (data := stream.read(min(left, CHUNK))):
                out.write(data)
                left -= len(data)
        if not left and _is_as_seen(stream, arrival):
            return True
    target.unlink()
    return False


def _open(arrival: Arrival) -> BinaryIO | None:
    """Open the file; None where none is there any more, or something else."""
    try:
        with host_faults(arrival.path):
            return open_regular(arrival.path, follow=False)
    except BundlerError:
        if not arrival.path.is_file() or arrival.path.is_symlink():
            return None
        raise


def _is_as_seen(stream: BinaryIO, arrival: Arrival) -> bool:
    return Identity.of(os.fstat(stream.fileno())) == arrival.identity


def _not_ours(path: Path, error: OSError) -> HostFault:
    return HostFault(
        f"{path}: {error.strerror or error}, expected to take it out of its folder",
        hint="run it as a user who may empty that folder, or leave the files there: --keep",
    )
