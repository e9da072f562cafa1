"""Headers of a POSIX ustar archive, in the one form that a bundle has (FORMAT.md, "Container").

A header is a function of a member's name and size. Reading one means rebuilding it from its name and
size and comparing all 512 bytes, so nothing else of a hostile header is ever interpreted.
"""

from __future__ import annotations

import re
from typing import Final

from bundler.core.fault import Fault
from bundler.core.names import portable_path

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
MAX_SIZE: Final = 8**11 - 1  # bytes: eleven octal digits, 8 GiB less one
_MTIME = 315_532_800  # 1980-01-01, the earliest time that FAT and zip can hold
_OCTAL = re.compile(rb"[0-7]{11}\0")


def header(name: str, size: int) -> bytes:
    """Return the 512-byte header of a regular file; raises `Fault` where ustar cannot say it."""
    if not 0 <= size <= MAX_SIZE:
        raise Fault(f"{name}: expected a size of at most {MAX_SIZE} bytes, found {size}")
    prefix, short = _split(portable_path(name))
    fields = (
        short.encode().ljust(100, b"\0")  # name
        + b"0000644\0"  # mode
        + b"0000000\0" * 2  # uid, gid
        + b"%011o\0" % size
        + b"%011o\0" % _MTIME
        + b" " * 8  # checksum, counted as blanks
        + b"0"  # typeflag: a regular file
        + bytes(100)  # linkname
        + b"ustar\x0000"
        + bytes(32 + 32)  # uname, gname
        + b"0000000\0" * 2  # devmajor, devminor
        + prefix.encode().ljust(155, b"\0")
        + bytes(12)
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _split(name: str) -> tuple[str, str]:
    """Split a path for the prefix (155) and name (100) fields, as far left as it fits (POSIX.1-2017, pax)."""
    if len(name) <= 100:
        return "", name
    cut = name.find("/", len(name) - 101)
    if cut == -1 or cut > 155:
        raise Fault(f"expected a path that fits a ustar header, found {name!r}")
    return name[:cut], name[cut + 1 :]


def parse_header(block: bytes) -> tuple[str, int]:
    """Return name and size of a header that we could have written; raises `Fault` for any other."""
    name = block[:100].rstrip(b"\0")
    prefix = block[345:500].rstrip(b"\0")
    size = block[124:136]
    if len(block) != BLOCK or not _OCTAL.fullmatch(size):
        raise Fault("expected a ustar header")
    try:
        path = (prefix + b"/" + name if prefix else name).decode("ascii")
        rebuilt = header(path, int(size[:11], 8))
    except (UnicodeDecodeError, Fault):
        raise Fault("expected a ustar header with a portable name") from None
    if rebuilt != block:
        at = next(
            offset for offset, (ours, theirs) in enumerate(zip(rebuilt, block, strict=True)) if ours != theirs
        )
        raise Fault(f"expected a ustar header as uv-bundler writes it, found another at its byte {at}")
    return path, int(size[:11], 8)


def member(name: str, content: bytes) -> bytes:
    """Return a whole member: header, content and padding."""
    return b"".join((header(name, len(content)), content, padding(len(content))))


def padding(size: int) -> bytes:
    """Return the zeros between a member of `size` bytes and the next header."""
    return bytes(-size % BLOCK)


def stored_size(size: int) -> int:
    """Return how many bytes a member of `size` bytes takes in the archive, header and padding included."""
    return BLOCK + size + -size % BLOCK
