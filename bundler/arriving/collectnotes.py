"""What `collect` knows of the files in its folder, so that it need not read all of them for each drive.

A note counts while a file has the size, the time and the inode that it had then. It is a hint and proves
nothing: `unpack` and `verify` read every byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core import strictjson
from bundler.core.durable import host_faults, read_own, whole_file
from bundler.core.fault import Fault
from bundler.core.shapes import Key, Record, Seq, Table, Text, Whole

if TYPE_CHECKING:
    from pathlib import Path

STATE_FOLDER = ".collect"  # in the folder of the bundle: notes, a lock, and files that are not whole yet
_NAME = "state.json"
_MAX_BYTES = 64 << 20
_SHAPE = Record(
    keys={
        "index": Key(shape=Text(max_chars=64, pattern="[0-9a-f]{64}"), required=True),
        "files": Key(
            shape=Table(
                value=Record(
                    keys={
                        "stamp": Key(shape=Text(max_chars=100), required=True),
                        "bad": Key(shape=Seq(item=Whole(), max_items=1_000_000), required=True),
                    }
                )
            ),
            required=True,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A file as it was when it was last read: its stamp, and the numbers of its pieces that are wrong."""

    stamp: str
    bad: frozenset[int]


@dataclass(slots=True)
class Notes:
    """Notes of one folder, about files of one bundle: `index` is the digest of its index, or empty."""

    folder: Path
    index: str = ""
    files: dict[str, Note] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Notes:
        """Read what is there; what cannot be read is as if it was not there, and files are read again."""
        try:
            data = read_own(folder / STATE_FOLDER / _NAME, limit=_MAX_BYTES)
            found = _SHAPE.read(strictjson.parse(data, max_bytes=_MAX_BYTES))
        except (OSError, Fault):
            return cls(folder)
        files = {
            name: Note(stamp=one["stamp"], bad=frozenset(one["bad"])) for name, one in found["files"].items()
        }
        return cls(folder, found["index"], files)

    def bad(self, path: Path) -> frozenset[int] | None:
        """Return what is wrong with the file, nothing for a good one, or None where it has to be read.

        Raises `HostFault` where a file that was noted is not there.
        """
        note = self.files.get(path.name)
        return note.bad if note and note.stamp == _stamp(path) else None

    def keep(self, path: Path, bad: frozenset[int]) -> None:
        """Note what is wrong with a file that was just read; durable when it returns. Raises `HostFault`."""
        self.files[path.name] = Note(stamp=_stamp(path), bad=bad)
        files = {name: {"stamp": one.stamp, "bad": sorted(one.bad)} for name, one in self.files.items()}
        with whole_file(self.folder / STATE_FOLDER / _NAME) as stream:
            stream.write(strictjson.dump({"index": self.index, "files": files}))


def _stamp(path: Path) -> str:
    with host_faults(path):
        found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
