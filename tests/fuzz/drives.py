"""What drives bring beside a bundle: a packing list has one form, and no name in it or in sums leads elsewhere."""

from __future__ import annotations

import hashlib

from bundler.core.fault import Fault
from bundler.media.drives import PackingList
from bundler.media.sums import parse_sums, write_sums


def check_drives(data: bytes) -> bool:
    """A list is refused with a `Fault`, or is the bytes that it would be written as."""
    try:
        found = PackingList.parse(data)
    except Fault:
        return False
    assert found.to_bytes() == data
    _check_names([name for drive in found.drives for name in drive.files])
    assert all(drive.label.isascii() and drive.label.isprintable() for drive in found.drives)
    return True


def check_sums(data: bytes) -> bool:
    """Sums are refused with a `Fault`, or say the same once they are written."""
    try:
        found = parse_sums(data)
    except Fault:
        return False
    assert parse_sums(write_sums(found)) == found
    _check_names(list(found))
    return True


def _check_names(names: list[str]) -> None:
    for name in names:
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set('/\\ :*?"<>|')
        assert 0 < len(name) <= 100
        assert name[0] not in ".-"
    assert len({name.casefold() for name in names}) == len(names)


def lists() -> dict[str, bytes]:
    """Return packing lists, good and bad."""
    volumes = [f"plant-7-2026112001.{number:04d}-of-0004.uvb" for number in range(1, 5)]
    return {
        "ok-empty": b"",
        "ok-one": b"A: q4.uvb\n",
        "ok-two": f"A: {volumes[0]} {volumes[1]}\n2nd-stick: {volumes[2]} {volumes[3]}\n".encode(),
        "no-end": b"A: q4.uvb",
        "no-label": b": q4.uvb\n",
        "no-case": b"A: q4.uvb\nB: Q4.UVB\n",
        "no-path": b"A: ../q4.uvb\n",
        "no-crlf": b"A: q4.uvb\r\n",
    }


def sums() -> dict[str, bytes]:
    """Return lists of sums, good and bad."""
    digest = hashlib.sha256(b"").hexdigest()
    return {
        "ok-empty": b"",
        "ok-two": f"{digest}  plant-7-7.drives\n{digest} *q4+1.uvb\n".encode(),
        "ok-end": f"{digest}  q4.uvb".encode(),
        "no-path": f"{digest}  bin/q4.uvb\n".encode(),
        "no-escape": f"\\{digest}  a\\nb\n".encode(),
        "no-upper": f"{digest.upper()}  q4.uvb\n".encode(),
        "no-twice": f"{digest}  q4.uvb\n{digest}  q4.uvb\n".encode(),
        "no-case": f"{digest}  q4.uvb\n{digest}  Q4.uvb\n".encode(),
    }
