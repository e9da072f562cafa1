"""Which mount a path lies on: its device, file system and flags, as Linux tells them (proc(5), mountinfo)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TABLE = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "rootfs")
UNKNOWN_KIND = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system: where, of which type, from which device; `device` is as in `st_dev`."""

    point: str
    kind: str
    source: str
    device: int | None
    options: frozenset[str]

    @property
    def read_only(self) -> bool:
        """Whether it was mounted read-only, here or as a whole."""
        return "ro" in self.options

    @property
    def known(self) -> bool:
        """Whether the system told of it at all."""
        return self.kind != UNKNOWN_KIND

    @property
    def in_user_space(self) -> bool:
        """Whether a program stands between the kernel and the medium (FUSE), with a cache of its own."""
        return self.kind.startswith("fuse")

    @property
    def in_memory(self) -> bool:
        """Whether there is no medium at all."""
        return self.kind in _IN_MEMORY

    @property
    def block_device(self) -> Path | None:
        """The block device below, where there is one that is surely it."""
        path = Path(self.source)
        try:
            found = path.stat()
        except (OSError, ValueError):
            return None
        blocks = path.is_absolute() and path.is_block_device()
        return path if blocks and found.st_rdev == self.device else None


UNKNOWN = Mount(point="", kind=UNKNOWN_KIND, source="", device=None, options=frozenset())


def mount_of(path: Path) -> Mount:
    """Return the mount that `path` lies on; `UNKNOWN` where the system does not say."""
    try:
        table = os.fsdecode(_TABLE.read_bytes())
        device = path.stat().st_dev
    except OSError:
        return UNKNOWN
    return choose(parse_table(table), os.path.realpath(path), device=device)


def choose(mounts: Iterable[Mount], path: str, *, device: int) -> Mount:
    """Return the mount of an absolute path without links that lies on `device`.

    The deepest one counts, and the last of several at one place, for it hides the others. One of another
    device may be hidden by a mount further up: it counts only where none has this device (btrfs has one for
    each subvolume, and the table another).
    """
    above = [one for one in mounts if PurePosixPath(path).is_relative_to(one.point)]
    same = [one for one in above if one.device == device]
    best = UNKNOWN
    for one in same or above:
        if not best.known or len(one.point) >= len(best.point):
            best = one
    return best


def parse_table(text: str) -> list[Mount]:
    """Read `mountinfo`: ID, parent, device, root, point, options, more until a dash; type, source, flags."""
    mounts = []
    for line in text.splitlines():
        front, dash, back = line.partition(" - ")
        before, after = front.split(" "), back.split(" ")
        if not dash or len(before) < 6 or len(after) < 3:
            continue  # no line of a form that we know tells us nothing
        major, _, minor = before[2].partition(":")
        numbers = major.isdecimal() and minor.isdecimal()
        mounts.append(
            Mount(
                point=_unescape(before[4]),
                kind=_unescape(after[0]),
                source=_unescape(after[1]),
                device=os.makedev(int(major), int(minor)) if numbers else None,
                options=frozenset((*before[5].split(","), *after[2].split(","))),
            )
        )
    return mounts


def _unescape(text: str) -> str:
    """Undo what the kernel does to blanks, tabs, line ends, backslashes and `#`: three octal digits each."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
