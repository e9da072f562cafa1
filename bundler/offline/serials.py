"""The highest serial seen of each bundle name, so that an old, truly signed bundle is recognised as old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core import strictjson
from bundler.core.durable import host_faults, read_own, whole_file
from bundler.core.fault import Fault
from bundler.core.shapes import Key, Record, Table, Text, Whole
from bundler.errors import DamagedFault, PolicyFault

if TYPE_CHECKING:
    from bundler.core.index import Index
    from bundler.offline.prefix import Prefix

_MAX_BYTES = 1 << 20
_MARKS = Table(
    value=Record(
        keys={
            "serial": Key(shape=Whole(minimum=1), required=True),
            "index_sha256": Key(shape=Text(max_chars=64), required=True),
        }
    )
)


def check_serial(prefix: Prefix, index: Index, *, index_sha256: str) -> None:
    """Refuse a serial below the highest seen, and an equal one of another index; raises `PolicyFault`."""
    mark = _read(prefix).get(index.name)
    if mark is None:
        return
    seen, digest = mark
    if index.serial < seen:
        raise PolicyFault(
            f"{index.name}: serial is {index.serial}, expected at least {seen}, which this host has seen",
            hint="this is an older bundle: to bring its content back, have it packed again (a new serial)",
        )
    if index.serial == seen and index_sha256 != digest:
        raise PolicyFault(
            f"{index.name}: serial {index.serial} was another bundle on this host (index {digest[:16]}…, "
            f"now {index_sha256[:16]}…)",
            hint="two bundles must not share a serial: have this one packed again (a new serial)",
        )


def record_serial(prefix: Prefix, index: Index, *, index_sha256: str) -> None:
    """Write down that this host has seen the index; durable when it returns."""
    marks = _read(prefix) | {index.name: (index.serial, index_sha256)}
    document = {name: {"serial": serial, "index_sha256": digest} for name, (serial, digest) in marks.items()}
    with whole_file(prefix.state / "serials.json") as stream:
        stream.write(strictjson.dump(document))


def _read(prefix: Prefix) -> dict[str, tuple[int, str]]:
    path = prefix.state / "serials.json"
    with host_faults(path):
        try:
            data = read_own(path, limit=_MAX_BYTES)
        except FileNotFoundError:
            return {}
    try:
        read = _MARKS.read(strictjson.parse(data, max_bytes=_MAX_BYTES))
    except Fault as fault:
        raise DamagedFault(
            f"{path}: {fault}",
            hint="restore the file from a backup; without it an older bundle could pass for a new one",
        ) from None
    return {name: (mark["serial"], mark["index_sha256"]) for name, mark in read.items()}
