"""What a medium is good for, found out before anything is written to it: nothing stays there from this."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.names import MAX_SEGMENT, check_distinct, portable_path
from bundler.core.volumehead import stem_in_name
from bundler.errors import HostFault, UsageFault
from bundler.media.copying import put_bytes, temporary_path
from bundler.media.filesystems import Largest, filesystem_name, largest_file
from bundler.media.mounts import Mount, mount_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LEAST_UNIT = 4096  # bytes: what a file's end wastes at least, wherever the system says less


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """A folder on a mounted drive that takes files: its room in bytes and inodes (None: not told).

    `unit` is how much room a file's last byte may take. `folds_case`: `A` and `a` are one file there.
    """

    folder: Path
    mount: Mount
    largest: Largest
    free: int | None
    inodes: int | None
    unit: int
    folds_case: bool

    @property
    def filesystem(self) -> str:
        """The name of its file system, for people."""
        return filesystem_name(self.mount)

    def room_of(self, size: int) -> int:
        """Return the bytes that a file of `size` bytes takes from the room."""
        return -(-size // self.unit) * self.unit


def preflight(folder: Path) -> Medium:
    """Find out what `folder` is good for, by writing a small file there and removing it.

    Raises `HostFault` where it is no folder, read-only, full or takes no names of ours.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise HostFault(
            f"{folder}: {what}, expected the folder where the drive is mounted",
            hint="mount the drive (`lsblk -f` shows where it is), then name that folder with --to",
        )
    mount = mount_of(folder)
    if mount.read_only:
        raise HostFault(
            f"{folder}: is mounted read-only, expected a drive to write to",
            hint="move the drive's write-protect switch, or remount it: mount -o remount,rw "
            f"{shlex.quote(mount.point)}; where it became so by itself, `dmesg` tells why",
        )
    folds = _probe(folder)
    free, inodes, unit = _room(folder)
    return Medium(
        folder=folder,
        mount=mount,
        largest=largest_file(mount),
        free=free,
        inodes=inodes,
        unit=unit,
        folds_case=folds,
    )


def check_names(names: Sequence[str]) -> None:
    """Raise `UsageFault` for a name that some file system does not take, and for two that are one on some."""
    try:
        for name in names:
            portable_path(name)
        check_distinct(names)
    except Fault as fault:
        raise UsageFault(
            f"the names of the files: {fault}", hint="rename the file: nothing goes by the names of bundles"
        ) from None


def check_sizes(medium: Medium, sizes: Iterable[tuple[Path, int]]) -> None:
    """Raise `HostFault` for the first file that is too large for the file system or for this process."""
    most = medium.largest.size
    for path, size in sizes:
        if most is not None and size > most:
            raise HostFault(
                f"{path}: has {size} bytes, expected at most {most}: {medium.largest.reason}",
                hint=f"cut it into volumes first: {split_words(path, 'fat32')}",
            )


def split_words(path: Path, volume_size: str) -> str:
    """Return the command that cuts the bundle of this file anew: a volume alone cannot be cut."""
    alone = f"{stem_in_name(path.name)}.uvb".casefold() == path.name.casefold()
    what = shlex.quote(str(path if alone else path.parent))
    return f"uv-bundler split {what} -o FOLDER --volume-size {volume_size}"


def _probe(folder: Path) -> bool:
    """Write, sync, rename, read and remove a file with a name such as ours; tell whether case is ignored."""
    name = f"uv-bundler-probe.{os.getpid()}+"
    path = folder / name.ljust(MAX_SEGMENT, "x")  # as long as a name may be
    content = os.urandom(16)
    try:
        put_bytes(content, path)
        with host_faults(path):
            same = path.read_bytes() == content
            folds = path.with_name(path.name.upper()).exists()
    except HostFault as fault:
        said = fault.message.removeprefix(f"{path}: ")
        raise HostFault(f"{folder}: takes no files: {said}", hint=fault.hint) from None
    finally:
        for left in (path, temporary_path(path)):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
    if not same:
        raise HostFault(
            f"{folder}: a small file did not come back as it was written",
            hint="the drive is broken, or no drive at all: test it with `f3probe`, use another one",
        )
    return folds


def _room(folder: Path) -> tuple[int | None, int | None, int]:
    """Return free bytes and inodes, where the file system counts any, and the unit of room in bytes."""
    with host_faults(folder):
        if not hasattr(os, "statvfs"):
            return shutil.disk_usage(folder).free, None, 1 << 16  # the largest cluster of common formats
        found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize if found.f_blocks else None  # fusefat 0.1a says nothing
    inodes = found.f_favail if found.f_files else None
    return free, inodes, max(found.f_frsize, _LEAST_UNIT)
