"""Cut a zip file into what stands for itself and members that were deflated (APPNOTE 6.3, 4.3).

The central directory tells where the members lie, and only what the local headers confirm is taken. A body is
taken for deflated only where encoding its content again gave the same bytes. Nothing is lost: the parts, in
order, are all bytes of the file. On any doubt there are no parts, and the file travels as one piece.
"""

from __future__ import annotations

import hashlib
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from bundler.connected.gzipparts import Literal, inflater
from bundler.core.ustar import MAX_SIZE
from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_END = struct.Struct("<4s4H2IH")  # end of central directory, 4.3.16
_CENTRAL = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_LOCAL = struct.Struct("<4s5H3I2H")  # 4.3.7
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_MAX_COMMENT: Final = 65535
_MAX_MEMBERS: Final = 20_000
_RATIO: Final = 64  # a member that inflates to more of its size is left alone: it is inflated in memory
_MAX_CONTENT: Final = 64 << 20  # bytes of a member that is inflated in memory; a larger one is left alone
_FREE: Final = 64 << 10  # bytes that it may inflate to beside that
_LEVELS: Final = tuple(f"zlib-{level}-8" for level in (6, 9, 1, 5, 7, 8, 4, 3, 2))
_PATIENCE: Final = 3  # members that no level encodes before only the levels that worked are tried


class Packed(NamedTuple):
    """A member's body, and its content: in the spool where `encoder` is named, else the body itself."""

    offset: int
    length: int
    content: int
    size: int
    name: str
    encoder: str | None
    sha256: bytes
    begins: bytes


Proof = tuple[bytes, str]  # the sha256 of a content, and the encoder that gives the body beside it


def cut_zip(
    data: memoryview, spool: BinaryIO, *, proved: MutableMapping[Proof, memoryview], limit: int = MAX_SIZE
) -> list[Literal | Packed] | None:
    """Return the parts of `data`; `spool` takes what members inflate to, from where it stands up to `limit`.

    None where it is no zip file in one piece, or where no member can be written again. `proved` has, and
    takes, the body of each content by its sha256 and encoder, so that a member of ten archives is encoded
    once.
    """
    begin = spool.tell()
    parts: list[Literal | Packed] = []
    levels, misses, at = _LEVELS, 0, 0
    for name, offset, length, method, size in _members(data) or ():
        body = data[offset : offset + length]
        content: memoryview | bytes = body
        encoder = None
        if method == _DEFLATED and size:
            inflated = _inflate(body, size) if size <= min(_MAX_CONTENT, limit - spool.tell()) else None
            encoder = _encoder(inflated, body, levels, proved) if inflated else None
            if inflated and encoder:
                content, levels = inflated, (encoder, *(one for one in levels if one != encoder))
            else:
                misses += 1
                levels = levels[:1] if misses >= _PATIENCE else levels
        if not size or not length:
            continue
        if offset > at:
            parts.append(Literal(at, offset - at))
        place = offset
        if encoder:
            place = spool.tell()
            spool.write(content)
        digest = hashlib.sha256(content).digest()
        parts.append(Packed(offset, length, place, len(content), name, encoder, digest, bytes(content[:8])))
        at = offset + length
    if not any(isinstance(one, Packed) and one.encoder for one in parts):
        spool.seek(begin)
        spool.truncate()
        return None
    if at < len(data):
        parts.append(Literal(at, len(data) - at))
    return parts


def _members(data: memoryview) -> list[tuple[str, int, int, int, int]] | None:
    """Return name, offset and length of the body, method and size of each member; None on any doubt."""
    tail = bytes(data[-(_END.size + _MAX_COMMENT) :])
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < _END.size:
        return None
    _, disk, first, here, count, size, start, _ = _END.unpack_from(tail, place)
    if disk or first or here != count or count > _MAX_MEMBERS or start + size > len(data):
        return None
    found, at, end = [], start, start + size
    for _ in range(count):
        if at + _CENTRAL.size > end:
            return None
        (sign, _, _, flags, method, _, _, _, packed, whole, name, extra, comment, _, _, _, offset) = (
            _CENTRAL.unpack_from(data, at)
        )
        at += _CENTRAL.size
        if sign != b"PK\1\2" or at + name > end or offset + _LOCAL.size > start:
            return None
        named = bytes(data[at : at + name])
        at += name + extra + comment
        local = _LOCAL.unpack_from(data, offset)
        body = offset + _LOCAL.size + local[9] + local[10]
        same = (
            local[0] == b"PK\3\4"
            and local[3] == method
            and bytes(data[offset + 30 : offset + 30 + local[9]]) == named
        )
        if not same or body + packed > start:
            return None
        known = method in (_STORED, _DEFLATED) and not flags & _ENCRYPTED
        found.append(
            (
                named.decode("utf-8", "replace"),
                body,
                packed,
                method if known else _STORED,
                whole if known else packed,
            )
        )
    found.sort(key=lambda one: one[1])
    overlap = any(one[1] + one[2] > other[1] for one, other in pairwise(found))
    return None if overlap else found


def _inflate(body: memoryview, size: int) -> bytes | None:
    """Return the `size` bytes that the body inflates to, None where it does not do exactly that."""
    if size > _RATIO * len(body) + _FREE:
        return None
    state = inflater()
    try:
        content: bytes = state.decompress(body, size + 1)
    except Exception as error:  # zlib-ng's error is a class of its own
        if isinstance(error, OSError | MemoryError):
            raise
        return None
    whole = state.eof and not state.unused_data and len(content) == size
    return content if whole else None


def _encoder(
    content: bytes, body: memoryview, names: tuple[str, ...], proved: MutableMapping[Proof, memoryview]
) -> str | None:
    """Return the first name that encodes the content to the body; note it in `proved`."""
    digest, wanted = hashlib.sha256(content).digest(), bytes(body)
    for name in names:
        known = proved.get((digest, name))
        if known is not None:
            if bytes(known) == wanted:
                return name
        elif _writes(name, content, wanted):
            proved[digest, name] = body
            return name
    return None


def _writes(name: str, content: bytes, body: bytes) -> bool:
    encoder = catalog.native(name)
    if encoder is None:
        return False
    out = encoder.feed(content)
    return body.startswith(out) and out + encoder.finish() == body
