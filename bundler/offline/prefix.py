"""The prefix on a host: its paths, whether it is safe to use, and its lock (FORMAT.md §10, steps 1 and 2)."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, make_folder
from bundler.core.locks import lock_file
from bundler.errors import HostFault, LockedFault

if TYPE_CHECKING:
    from collections.abc import Iterator

FRESH_LINK = ".current.new"  # becomes `current` by a rename


@dataclass(frozen=True, slots=True)
class Prefix:
    """The folder that uv-bundler owns on a host, as an absolute path."""

    root: Path

    @property
    def current(self) -> Path:
        """The active generation, by the one path that exports name."""
        return self.root / "current"

    @property
    def generations(self) -> Path:
        """Where complete generations lie, by number."""
        return self.root / "generations"

    @property
    def staging(self) -> Path:
        """Where a generation is built."""
        return self.root / "staging"

    @property
    def python(self) -> Path:
        """Where interpreters are installed for all users."""
        return self.root / "python"

    @property
    def state(self) -> Path:
        """Where the lock, the serials and the audit log lie."""
        return self.root / "state"

    @property
    def log(self) -> Path:
        """The audit log."""
        return self.state / "log.jsonl"


def system_prefix() -> Path:
    """Return the prefix that an administrator unpacks to for all users."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData") / "uv-bundler"
    return Path("/opt/uv-bundler")


def default_prefix() -> Path:
    """Return the prefix for this user: system-wide for root, the per-user data folder otherwise."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "uv-bundler"
    if os.geteuid() == 0:
        return system_prefix()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "uv-bundler"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "uv-bundler"


def check_prefix(root: Path) -> Prefix:
    """Return the prefix where it is safe to build in, existing or not; changes nothing.

    Raises `HostFault` for a symbolic link, for something that is no folder, and where others than its owner
    may write: whoever can swap files in the prefix decides what users run.
    """
    if os.pathsep in str(root)[2 if os.name == "nt" else 0 :] or not str(root).isprintable():
        raise HostFault(
            f"{root}: holds {os.pathsep!r} or a control character, which no PATH can name",
            hint="choose another --prefix",
        )
    root = Path(os.path.abspath(root))  # noqa: PTH100  # resolve() would follow the links that are refused here
    with host_faults(root):
        for folder in (root, root / "generations", root / "staging", root / "state", root / "python"):
            if folder.is_symlink():
                raise HostFault(
                    f"{folder}: is a symbolic link, expected a folder",
                    hint="name the folder itself with --prefix",
                )
            if folder.exists() and not folder.is_dir():
                raise HostFault(f"{folder}: is a file, expected a folder", hint="choose another --prefix")
            if folder.exists():
                _refuse_writable(folder, sticky_is_safe=False)
        for link in filter(Path.is_symlink, root.parents):
            if os.name != "nt" and link.lstat().st_uid not in (0, os.geteuid()):
                raise HostFault(
                    f"{link}: is a symbolic link of user {link.lstat().st_uid}, who can turn it elsewhere",
                    hint=f"name the folder that it leads to: --prefix {os.path.realpath(root)}",
                )
        above = root.parent
        while not above.exists():
            above = above.parent
        _refuse_writable(above, sticky_is_safe=True)
    return Prefix(root)


def _refuse_writable(folder: Path, *, sticky_is_safe: bool) -> None:
    if os.name == "nt":
        return
    found = folder.stat()
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if writable and not (sticky_is_safe and found.st_mode & stat.S_ISVTX):
        raise HostFault(
            f"{folder}: mode is {stat.S_IMODE(found.st_mode):04o}, expected no write for group and others",
            hint=f"chmod go-w {folder}",
        )
    if found.st_uid not in (0, os.geteuid()):
        raise HostFault(
            f"{folder}: belongs to user {found.st_uid}, expected user {os.geteuid()} or root",
            hint="run as the owner of the prefix, or choose another --prefix",
        )


@contextlib.contextmanager
def locked(prefix: Prefix) -> Iterator[None]:
    """Hold the prefix's lock; raises `LockedFault` where another process does.

    Where a crash left a file that was to replace another one, that file is gone afterwards.
    """
    make_folder(prefix.state)
    check_prefix(prefix.root)  # again: in a sticky folder another user may have made it first
    path = prefix.state / "lock"
    busy = LockedFault(
        f"{path}: another uv-bundler is at work on {prefix.root}",
        hint="wait until it has ended, then run the command again",
    )
    with lock_file(path, busy=busy):
        with host_faults(prefix.root):
            for left in (*prefix.state.glob(".*.tmp"), prefix.root / FRESH_LINK):
                left.unlink(missing_ok=True)
        yield
