"""Cut a tar into headers and contents, with what stock tools need to know of each (POSIX ustar, pax, GNU).

Nothing is lost: the entries follow each other without a gap, and what comes after the last one is the rest.
What is no tar has no entries, and is all rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK: Final = 512
_MAX_LONG: Final = 1 << 20  # bytes of a GNU long name or of pax records: no path is longer
_MAX_NAME: Final = 4096  # bytes or characters of a path or a target; Linux takes no longer ones
_MAX_ENTRIES: Final = 1 << 17  # what comes behind them is rest; an archive of CPython has about 10 000
_NAMES: Final = ("path", "linkpath")  # pax records, beside `size`: others take memory and are of no use here
_SIZE = re.compile("[0-9]{1,19}")
_PAX = re.compile(rb"(\d{1,7}) ([^=\n]+)=")
FILE, LINK, SYMLINK, FOLDER, OTHER = "file", "link", "symlink", "folder", "other"
_KINDS: Final = {b"0": FILE, b"\0": FILE, b"7": FILE, b"1": LINK, b"2": SYMLINK, b"5": FOLDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry: its headers from `begin` to `data`, `size` bytes of content, zeros to `end`."""

    begin: int
    data: int
    size: int
    end: int
    name: str
    kind: str
    mode: int
    mtime: int
    target: str


def cut_tar(data: memoryview) -> tuple[list[Entry], int]:
    """Return the entries, and where the rest begins: blocks of zeros, or what is no entry.

    An entry whose content is cut off belongs to the rest, and so does one with a name that no system takes.
    Where padding is not zeros, `end` is the end of the content, and the padding is counted to the headers of
    the next entry.
    """
    entries: list[Entry] = []
    at = 0
    while len(entries) < _MAX_ENTRIES and (entry := _entry(data, at)) is not None:
        entries.append(entry)
        at = entry.end
    return entries, at


def _entry(data: memoryview, begin: int) -> Entry | None:
    """Read the entry whose headers begin at `begin`; long names and pax records before it belong to it."""
    at = -(-begin // _BLOCK) * _BLOCK  # behind padding that is not zeros
    known: dict[str, str] = {}
    while True:
        header = bytes(data[at : at + _BLOCK])
        at += _BLOCK
        if len(header) < _BLOCK or not _is_header(header):
            return None
        size, kind = _number(header[124:136]), header[156:157]
        if size is None or at + size > len(data):
            return None
        if kind not in (b"L", b"K", b"x", b"g"):
            break
        if size > _MAX_LONG:
            return None
        known.update(_longer(kind, bytes(data[at : at + size])))
        at += -(-size // _BLOCK) * _BLOCK
    size = int(known.get("size", size))
    what = _KINDS.get(kind, OTHER)
    if what in (LINK, SYMLINK, FOLDER):
        size = 0  # of a link some writers state the size of its target; no content follows (POSIX, ustar)
    end = at + -(-size // _BLOCK) * _BLOCK
    if at + size > len(data):
        return None
    if end > len(data) or any(data[at + size : end]):
        end = at + size
    name, target = known.get("path") or _name(header), known.get("linkpath") or _text(header[157:257])
    if max(len(name), len(target)) > _MAX_NAME:
        return None
    return Entry(
        begin=begin,
        data=at,
        size=size,
        end=end,
        name=name,
        kind=what,
        mode=(_number(header[100:108]) or 0) & 0o7777,
        mtime=_number(header[136:148]) or 0,
        target=target,
    )


def _is_header(header: bytes) -> bool:
    """Tell by its sum, in which the eight bytes of the sum itself count as blanks, whether it is a header."""
    stated = _number(header[148:156])
    return stated is not None and stated == sum(header) - sum(header[148:156]) + 8 * 0x20 and header[0] > 0


def _number(field: bytes) -> int | None:
    if field[0] == 0x80:  # GNU: binary, where octal digits did not suffice
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0").lstrip(b" ")
    try:
        return int(digits or b"0", 8) if digits.isdigit() or not digits else None
    except ValueError:  # an 8 or a 9
        return None


def _longer(kind: bytes, data: bytes) -> Mapping[str, str]:
    """Return what a GNU long name or pax records say of the next entry."""
    if kind in (b"L", b"K"):
        return {"path" if kind == b"L" else "linkpath": _text(data)}
    found: dict[str, str] = {}
    at = 0
    while kind == b"x" and (record := _PAX.match(data, at)):  # global records say nothing that is needed here
        length = int(record[1])
        if not len(record[0]) < length <= len(data) - at:
            break
        key = record[2].decode("ascii", "replace")
        value = _text(data[record.end() : at + length - 1])
        if key in _NAMES or (key == "size" and _SIZE.fullmatch(value)):
            found[key] = value
        at += length
    return found


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
