"""A folder into which somebody else puts files: which of them have come to rest (FORMAT.md §17, "Diodes").

Rest is counted in looks and measured with a clock that never jumps. No link is followed, and nothing is
written here.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.errors import HostFault, UsageFault
from bundler.volumes.survey import list_files

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

GROWING_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload")  # how transfers call what grows


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What tells one state of a file from another one without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Identity:
        """Take it from what the system tells."""
        return cls(device=facts.st_dev, inode=facts.st_ino, size=facts.st_size, mtime_ns=facts.st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file that may be ours, in the state in which it was seen; `still` says for how many seconds already.

    `settled`: it was the same in as many looks after the first one as were asked for.
    """

    path: Path
    identity: Identity
    still: float
    settled: bool


@dataclass(slots=True)
class _Watched:
    identity: Identity
    since: float
    looks: int = 0


class Watcher:
    """Looks at one folder again and again; `settle` counts the looks in which a file must stay the same.

    `clock` is monotonic, in seconds; `wall` is this machine's time, which only makes a file older that was
    last changed long ago, so that a run of one look knows of it.
    """

    def __init__(
        self, folder: Path, *, settle: int, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._folder, self._settle, self._clock, self._wall = folder, settle, clock, wall
        self._seen: dict[Path, _Watched] = {}

    def look(self) -> list[Arrival]:
        """Return what lies there now, by name; raises `HostFault`, also for too many files."""
        if not self._folder.is_dir():
            raise HostFault(
                f"{self._folder}: {'is a file' if self._folder.exists() else 'no such folder'}, expected the "
                "folder where files arrive",
                hint="check that the share of the diode's proxy is mounted, then name it with --watch",
            )
        found, before = [], self._seen
        self._seen = {}
        for path in self._files():
            if path.name.lower().endswith(GROWING_SUFFIXES):
                continue
            with host_faults(path):
                try:
                    facts = path.lstat()
                except FileNotFoundError:  # taken away again
                    continue
            if stat.S_ISREG(facts.st_mode):
                found.append(self._arrival(path, facts, before.get(path)))
        return sorted(found, key=lambda one: one.path.name)

    def _files(self) -> list[Path]:
        try:
            return list(list_files([self._folder]))
        except UsageFault as fault:  # nobody who runs this has chosen what lies there
            raise HostFault(fault.message, hint="see what puts them there, and move them away") from None

    def _arrival(self, path: Path, facts: os.stat_result, known: _Watched | None) -> Arrival:
        identity, now = Identity.of(facts), self._clock()
        if known is None or known.identity != identity:
            known = _Watched(identity, now)
        else:
            known.looks += 1
        self._seen[path] = known
        # A time in the future tells nothing: then only what was seen counts.
        age = self._wall() - max(facts.st_mtime, facts.st_ctime)
        return Arrival(
            path=path,
            identity=identity,
            still=max(now - known.since, age),
            settled=known.looks >= self._settle,
        )
