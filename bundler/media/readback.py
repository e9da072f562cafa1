"""What a medium gives back, read after all of it was written, and how far that can be believed.

Read right after writing, bytes come from memory: on exFAT and NTFS through FUSE a corrupted medium went
unnoticed even with `posix_fadvise(DONTNEED)` and `O_DIRECT` (measured). So the level that was reached is part
of the result. All files are read after the last one was written, because media that claim more room than they
have overwrite what came first.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.digest import hash_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.core.digest import Digest
    from bundler.core.progress import Progress
    from bundler.media.mounts import Mount

_FLUSH_BUFFERS = 0x1261  # BLKFLSBUF of linux/fs.h: write out, then forget, what memory has of a block device
_PROBES = 16  # places of a file at which it is asked whether they are still in memory
_APART = 1 << 20  # bytes between two such places, at least


class Level(enum.Enum):
    """Where the compared bytes came from, from the least to the most that a running system can do."""

    CACHED = "cached"
    DROPPED = "dropped"
    DEVICE = "device"

    @property
    def meaning(self) -> str:
        """What a person should know of it."""
        return {
            Level.CACHED: "compared with what this machine's memory may still hold, which proves little; "
            "only unplugging and verifying tells",
            Level.DROPPED: "the kernel's cache was dropped; unplug and verify for certainty",
            Level.DEVICE: "the device's buffers were flushed and every byte came from it; "
            "unplug and verify for certainty",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A file as it was written."""

    name: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came back of one file: `wrong` says what is not as it should be, and is empty where nothing is."""

    file: Expected
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What came back of all files, and the lowest level that any of them was read at."""

    level: Level
    outcomes: tuple[Outcome, ...]

    @property
    def bad(self) -> tuple[Outcome, ...]:
        """The files that did not come back as they were written."""
        return tuple(one for one in self.outcomes if one.wrong)


def read_back(files: Sequence[Expected], folder: Path, *, mount: Mount, progress: Progress) -> ReadBack:
    """Read all files below `folder` and compare; call it when the last of them is written and synced."""
    for one in files:
        with contextlib.suppress(OSError):  # reading it will tell what is wrong
            _forget(folder / one.name, ask=False)
    flushed = _flush_device(mount)
    outcomes, dropped = [], True
    for one in files:
        wrong, gone = _look(folder / one.name, one, progress)
        outcomes.append(Outcome(file=one, wrong=wrong))
        dropped = dropped and gone
    level = Level.DROPPED if dropped else Level.CACHED
    if mount.in_user_space or mount.in_memory or not mount.known:
        level = Level.CACHED
    if flushed and dropped:
        level = Level.DEVICE
    return ReadBack(level=level, outcomes=tuple(outcomes))


def _look(path: Path, expected: Expected, progress: Progress) -> tuple[str, bool]:
    """Return what is wrong with a file, and whether its bytes were out of the kernel's memory before."""
    try:
        gone = _forget(path, ask=True)
        digest, size = hash_file(path, progress=progress)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}", True
    if size != expected.size:
        return f"has {size} bytes, expected {expected.size}", gone
    return ("" if digest == expected.digest else "its sha256 is another one"), gone


def _forget(path: Path, *, ask: bool) -> bool:
    """Have the kernel forget a file's bytes; tell whether it did, where it was asked and where it says so.

    Raises `OSError`.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        return ask and not _in_memory(handle)
    finally:
        os.close(handle)


def _in_memory(handle: int) -> bool:
    """Tell whether bytes can be had without waiting for a device, where the file system answers that."""
    if not hasattr(os, "RWF_NOWAIT"):
        return True
    # To ask for a place has it read in, and without this advice its neighbours too.
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
    size = os.fstat(handle).st_size
    for place in range(0, size, max(_APART, size // _PROBES)):
        try:
            if os.preadv(handle, [bytearray(1)], place, os.RWF_NOWAIT):
                return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):
                raise
    return False


def _flush_device(mount: Mount) -> bool:
    """Have the device's buffers written out and forgotten: root may, on Linux, on a block device."""
    device = mount.block_device
    if device is None:
        return False
    try:
        import fcntl

        handle = os.open(device, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _FLUSH_BUFFERS, 0)
        finally:
            os.close(handle)
    except (ImportError, OSError):
        return False
    return True
