"""The spool of a receiver: folders of bundles, and all that it remembers (FORMAT.md §17, "Diodes").

There is no database. What a run finds in here is what the one before it left, wherever that was ended.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, make_folder, real_path, whole_file
from bundler.core.locks import lock_file
from bundler.core.times import write_time
from bundler.errors import HostFault, LockedFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from bundler.core.index import Index

_MARK = re.compile(r"([a-z0-9][a-z0-9-]{0,39})-([0-9]{1,19})-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A bundle of which the unpack command was printed; `age` is in seconds."""

    name: str
    serial: int
    digest: str
    age: float


class Spool:
    """The folder `root`; use it inside `locked`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._arriving, self._received, self._number = root / ".arriving", root / ".received", 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the spool where it is not there, and hold its lock. Raises `LockedFault`, `HostFault`.

        What an ended run was copying is gone afterwards; it is copied anew.
        """
        for folder in (self.root, self._arriving, self._received):
            if folder != self.root:
                refuse_link(folder)
            make_folder(folder)
        path = self.root / ".lock"
        busy = LockedFault(
            f"{path}: another uv-bundler receives into {self.root}",
            hint="wait until it has ended, or give each receiver a spool of its own",
        )
        with lock_file(path, busy=busy):
            with host_faults(self.root):
                for left in (*self._arriving.glob(".*.tmp"), *self._received.glob(".*.tmp")):
                    left.unlink(missing_ok=True)
            yield

    def folders(self) -> list[Path]:
        """Return the folders that may be those of bundles, by name; raises `HostFault`."""
        with host_faults(self.root), os.scandir(self.root) as entries:
            names = [one.name for one in entries if one.is_dir(follow_symlinks=False) and one.name[:1] != "."]
        return [self.root / name for name in sorted(names)]

    def folder_for(self, index: Index, digest: str) -> Path:
        """Return where a bundle is put: `NAME-SERIAL`, with digits of its index where that is taken."""
        plain = self.root / index.stem
        return self.root / f"{plain.name}-{digest[:12]}" if os.path.lexists(plain) else plain

    def place_for_arrival(self) -> Path:
        """Return a new name for a file that was not looked into yet."""
        while True:
            self._number += 1
            path = self._arriving / f"{self._number:06d}.uvb"
            if not os.path.lexists(path):
                return path

    def arrivals(self) -> list[Path]:
        """Return files that were taken, and not looked into before a run ended; raises `HostFault`."""
        with host_faults(self._arriving):
            return sorted(one for one in self._arriving.glob("*.uvb") if one.is_file())

    def marks(self, *, now: float) -> list[Mark]:
        """Return the bundles whose command was printed already; raises `HostFault`."""
        found = []
        with host_faults(self._received), os.scandir(self._received) as entries:
            for entry in entries:
                said = _MARK.fullmatch(entry.name)
                if said:
                    age = now - entry.stat(follow_symlinks=False).st_mtime
                    found.append(Mark(name=said[1], serial=int(said[2]), digest=said[3], age=age))
        return found

    def mark(self, index: Index, digest: str, *, moment: datetime) -> None:
        """Remember that the command of this bundle was printed. Raises `HostFault`."""
        with whole_file(self._path(index.name, index.serial, digest)) as out:
            out.write(f"{write_time(moment)}\n".encode())

    def forget(self, mark: Mark) -> None:
        """Remember it no longer; raises `HostFault`."""
        path = self._path(mark.name, mark.serial, mark.digest)
        with host_faults(path):
            path.unlink(missing_ok=True)

    def _path(self, name: str, serial: int, digest: str) -> Path:
        return self._received / f"{name}-{serial}-{digest}"


def refuse_link(folder: Path) -> None:
    """Refuse a link in the place of a folder of the spool, which is written to; raises `HostFault`."""
    with host_faults(folder):
        if folder.is_symlink():
            raise HostFault(
                f"{folder}: is a symbolic link, expected a folder of its own",
                hint=f"see who made it, then: rm {folder}",
            )


def check_apart(watch: Path, spool: Path) -> None:
    """Refuse a spool that is the watched folder, or within it; raises `UsageFault`."""
    one, other = real_path(watch), real_path(spool)
    if one == other or one in other.parents or other in one.parents:
        raise UsageFault(
            f"{spool}: lies with {watch} in one another, expected two folders apart",
            hint="name a spool beside the folder where files arrive: --into FOLDER",
        )
