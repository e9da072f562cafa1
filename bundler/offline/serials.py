"""What this host has seen of each bundle name, and the switch that is under way (FORMAT.md §10).

An old, truly signed bundle is recognised as old by it. A mark only grows: neither a downgrade that an
administrator allows nor a rollback lowers it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core import strictjson
from bundler.core.durable import host_faults, read_own, whole_file
from bundler.core.fault import Fault
from bundler.core.shapes import Either, Key, Nothing, Record, Table, Text, Whole
from bundler.core.times import utc_time
from bundler.errors import DamagedFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundler.core.index import Index
    from bundler.offline.prefix import Prefix

FILE_NAME = "serials.json"
_MAX_BYTES = 1 << 20
_MARK = Record(
    keys={
        "serial": Key(shape=Whole(minimum=1), required=True),
        "index_sha256": Key(shape=Text(max_chars=64), required=True),
        "created": Key(shape=Text(max_chars=20, parse=utc_time), required=True),
    }
)
_SHAPE = Record(
    keys={
        "names": Key(shape=Table(value=_MARK), required=True),
        "switching": Key(
            shape=Either(
                kinds=((int, Whole(minimum=1)), (type(None), Nothing())), what="a whole number or null"
            ),
            required=True,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The highest serial seen of a name, the sha256 of its index, and the latest `created` of the name."""

    serial: int
    index_sha256: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The content of `serials.json`; `switching` is a generation that may have been published only."""

    names: Mapping[str, Mark] = field(default_factory=dict)
    switching: int | None = None

    def raised(self, index: Index, *, index_sha256: str) -> Marks:
        """Return the marks after `index` was accepted: never lower ones."""
        mark = self.names.get(index.name)
        if mark is None:
            mark = Mark(serial=index.serial, index_sha256=index_sha256, created=index.created)
        else:
            higher = index.serial > mark.serial
            mark = Mark(
                serial=index.serial if higher else mark.serial,
                index_sha256=index_sha256 if higher else mark.index_sha256,
                created=max(mark.created, index.created),  # UTC in one fixed form: text order is time order
            )
        return Marks(names={**self.names, index.name: mark}, switching=self.switching)

    def to_bytes(self) -> bytes:
        """Write the content of the file."""
        names = {
            name: {"serial": one.serial, "index_sha256": one.index_sha256, "created": one.created}
            for name, one in self.names.items()
        }
        return strictjson.dump({"names": names, "switching": self.switching})


def read_marks(prefix: Prefix) -> Marks:
    """Return the marks, none where the prefix is new; raises `DamagedFault` where they cannot be read."""
    path = prefix.state / FILE_NAME
    with host_faults(path):
        try:
            data = read_own(path, limit=_MAX_BYTES)
        except FileNotFoundError:
            return Marks()
    try:
        read = _SHAPE.read(strictjson.parse(data, max_bytes=_MAX_BYTES))
    except Fault as fault:
        raise DamagedFault(
            f"{path}: {fault}",
            hint="restore it from a backup; if there is none, move it away and ask for the newest serial: "
            "uv-bundler unpack BUNDLE --expect-serial SERIAL; nothing else shows then that a bundle is old",
        ) from None
    return Marks(
        names={name: Mark(**mark) for name, mark in read["names"].items()}, switching=read["switching"]
    )


def write_marks(prefix: Prefix, marks: Marks) -> None:
    """Replace the marks; durable when it returns."""
    with whole_file(prefix.state / FILE_NAME) as stream:
        stream.write(marks.to_bytes())
