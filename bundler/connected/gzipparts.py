"""Cut a file into gzip members and what lies between and behind them (RFC 1952).

Nothing of the file is believed and nothing is lost: the parts, in order, are all of its bytes, whatever they
are. Whether a member's body can be written again is found out by `bundler.connected.encodersearch`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from bundler.core.ustar import MAX_SIZE

if TYPE_CHECKING:
    from typing import Any

_FIXED: Final = 10  # bytes of a header before its optional fields (RFC 1952, 2.3)
_DEFLATE: Final = 8
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
_MAX_HEADER: Final = 256 << 10  # bytes: FEXTRA has at most 64 KiB, longer names than the rest nobody has seen
_READ: Final = 256 << 10  # bytes read at a time
_MOST_PER_BYTE: Final = 100  # bytes that one byte may inflate to; of the archives known to us it is 3 to 5
_FREE: Final = 1 << 20  # bytes that any file may inflate to
_MAX_MEMBERS: Final = 4096  # each costs a look at the file; the archives known to us have one
_STEP: Final = 4 << 20  # bytes inflated at a time, which bounds the memory whatever the body says


class Literal(NamedTuple):
    """Bytes that stand for themselves: headers, trailers, garbage."""

    offset: int
    length: int


class Deflated(NamedTuple):
    """A raw deflate stream (RFC 1951), and where in the spool lies what it inflates to."""

    offset: int
    length: int
    content: int
    size: int


Part = Literal | Deflated


def most_content(size: int) -> int:
    """Return how many bytes the contents of a file of `size` bytes may have: a bomb travels as it is."""
    return min(MAX_SIZE, _MOST_PER_BYTE * size + _FREE)


def inflater() -> Any:
    """Return a new decompressor of raw deflate: zlib-ng's where it is installed, else Python's own.

    zlib-ng inflated the test archives at 440 MB/s, zlib 1.2.13 at 260. Both give what RFC 1951 says or fail.
    """
    try:
        from zlib_ng import zlib_ng
    except ImportError:
        return zlib.decompressobj(-zlib.MAX_WBITS)
    return zlib_ng.decompressobj(-zlib.MAX_WBITS)


def cut_gzip(source: BinaryIO, spool: BinaryIO, *, limit: int | None = None) -> list[Part]:
    """Return the parts of `source`; `spool` takes what its members inflate to, from where it stands.

    What cannot be inflated, or would fill the spool beyond `limit` bytes (`most_content` of the file's size
    otherwise), is a literal up to the end of the file. No two literals follow each other.
    """
    end = source.seek(0, 2)
    limit = most_content(end) if limit is None else limit
    parts: list[Part] = []
    at = literal = 0
    while len(parts) < 2 * _MAX_MEMBERS and at < end and (body := _header_end(source, at)) is not None:
        begin = spool.tell()
        length = _inflate(source, body, spool, limit)
        if length is None:
            spool.seek(begin)
            spool.truncate()
            break
        parts.append(Literal(literal, body - literal))
        parts.append(Deflated(body, length, begin, spool.tell() - begin))
        literal = body + length
        at = literal + 8  # CRC32 and ISIZE: literals too, so that nobody needs to believe them
    if literal < end:
        parts.append(Literal(literal, end - literal))
    return parts


def _header_end(source: BinaryIO, at: int) -> int | None:
    """Return where the body of the member at `at` begins, None where there is no member."""
    source.seek(at)
    data = source.read(_FIXED)
    if len(data) < _FIXED or data[:3] != b"\x1f\x8b\x08" or data[3] & _RESERVED:
        return None
    flags, place = data[3], _FIXED
    if flags & (_FEXTRA | _FNAME | _FCOMMENT | _FHCRC):
        data += source.read(_MAX_HEADER)
        if flags & _FEXTRA:
            place += 2 + int.from_bytes(data[place : place + 2], "little")
        for field in (_FNAME, _FCOMMENT):
            if flags & field:
                zero = data.find(b"\0", place)
                if zero < 0:
                    return None
                place = zero + 1
        place += 2 if flags & _FHCRC else 0
    return at + place if place <= len(data) else None


def _inflate(source: BinaryIO, body: int, spool: BinaryIO, limit: int) -> int | None:
    """Write to the spool what the stream at `body` inflates to; return its length, None if it is none."""
    source.seek(body)
    state, taken = inflater(), 0
    try:
        while not state.eof:
            data = source.read(_READ)
            if not data:
                return None
            taken += len(data)
            spool.write(state.decompress(data, _STEP))
            if spool.tell() > limit:
                return None
            while state.unconsumed_tail and not state.eof:
                spool.write(state.decompress(state.unconsumed_tail, _STEP))
                if spool.tell() > limit:
                    return None
    except Exception as error:  # zlib-ng's error is a class of its own, which a host without it cannot name
        if isinstance(error, OSError | MemoryError):
            raise
        return None
    return taken - len(state.unused_data)
