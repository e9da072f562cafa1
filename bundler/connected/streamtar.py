"""Headers of the tars that streams hold: made for stock tools, never read by us (FORMAT.md §15, "Streams").

They are ustar; a name or a target that does not fit has a GNU header for long names before it.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
FILE, LINK, SYMLINK, FOLDER = b"0", b"1", b"2", b"5"
_MAX_TIME: Final = 8**11 - 1
_LONG_NAME, _LONG_TARGET = b"L", b"K"  # GNU tar manual, "Basic Tar Format"
_OWNER: Final = b"0000000\0" * 2
_MAGIC: Final = b"ustar\x0000" + bytes(64) + b"0000000\0" * 2


def headers(
    name: str, kind: bytes, *, size: int = 0, mode: int = 0o644, mtime: int = 0, target: str = ""
) -> bytes:
    """Return the blocks before the `size` bytes of an entry's content."""
    raw, pointed = name.encode("utf-8", "surrogateescape"), target.encode("utf-8", "surrogateescape")
    prefix, short = _split(raw)
    before = b""
    if len(pointed) > 100:
        before += _long(pointed, _LONG_TARGET)
    if len(short) > 100:
        before += _long(raw, _LONG_NAME)
        prefix, short = b"", short[:100]
    return before + _header(short, prefix, kind, size, mode=mode, mtime=mtime, target=pointed[:100])


def padding(size: int) -> bytes:
    """Return the zeros behind `size` bytes of content."""
    return bytes(-size % BLOCK)


def _long(text: bytes, kind: bytes) -> bytes:
    header = _header(b"././@LongLink", b"", kind, len(text) + 1, mode=0o644, mtime=0, target=b"")
    return header + text + bytes(BLOCK - len(text) % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Split at the first slash, behind the archive's folder, so that prefixes repeat; or where it fits."""
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", len(name) - 101)
    first = name.find(b"/")
    cut = first if 0 < first < 156 and len(name) - first <= 101 else cut
    return (name[:cut], name[cut + 1 :]) if 0 < cut < 156 and cut + 1 < len(name) else (b"", name)


def _header(
    name: bytes, prefix: bytes, kind: bytes, size: int, *, mode: int, mtime: int, target: bytes
) -> bytes:
    front = b"%s%07o\0%s%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        mode & 0o7777,
        _OWNER,
        size,
        min(max(mtime, 0), _MAX_TIME),
    )
    back = kind + target.ljust(100, b"\0") + _MAGIC + prefix.ljust(167, b"\0")
    return front + b"%06o\0 " % (sum(front) + sum(back) + 8 * 0x20) + back
