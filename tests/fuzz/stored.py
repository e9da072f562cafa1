"""What a member holds: ustar headers and zstd frames, within their budgets."""

from __future__ import annotations

import tarfile

import zstandard

from bundler.core import ustar
from bundler.core.decode import decode
from bundler.core.fault import Fault
from bundler.core.index import ZSTD

_MOST = 1 << 22  # bytes that an input may declare: what fuzzing needs, and quick


def check_header(data: bytes) -> bool:
    """A header that is accepted says the same to Python's tarfile, and is the one that we write."""
    try:
        path, size = ustar.parse_header(data)
    except Fault:
        return False
    assert ustar.header(path, size) == data
    judged = tarfile.TarInfo.frombuf(data, "ascii", "strict")
    assert (judged.name, judged.size, judged.type) == (path, size, tarfile.REGTYPE)
    assert (judged.uid, judged.gid, judged.mode, judged.linkname) == (0, 0, 0o644, "")
    return True


def check_zstd(data: bytes) -> bool:
    """Never more bytes than declared; what is accepted is one frame to its last byte, and zstd's own content.

    The input: how long blocks are, three bytes of a declared size (0: the one in the frame), the stored bytes.
    """
    block, declared, stored = 64 << (data[0] % 8 if data else 0), int.from_bytes(data[1:4], "big"), data[4:]
    size = min(declared or _content_size(stored), _MOST)
    plain = _decode(stored, block=block, size=size)
    if plain is None:
        return False
    assert len(plain) == size
    assert stored[:4] == b"\x28\xb5\x2f\xfd"
    assert stored[4] & 0b1111 == 0b0100  # RFC 8878 §3.1.1.1.1: checksum, no dictionary, nothing reserved
    assert zstandard.ZstdDecompressor().decompress(stored, max_output_size=size) == plain
    assert _decode(stored, block=len(stored), size=size) == plain
    for bent in (stored[:-1], stored + b"\0", stored + stored):
        assert _decode(bent, block=block, size=size) is None
    for wrong in (size - 1, size + 1):
        assert _decode(stored, block=block, size=wrong) is None
    return True


def _decode(stored: bytes, *, block: int, size: int) -> bytes | None:
    """Return what comes out, or None where it was refused."""
    blocks = (stored[at : at + block] for at in range(0, len(stored), block))
    plain = bytearray()
    try:
        for piece in decode(blocks, encoding=ZSTD, size=size):
            plain += piece
            assert len(plain) <= size
    except Fault:
        return None
    return bytes(plain)


def _content_size(stored: bytes) -> int:
    try:
        return max(0, zstandard.frame_content_size(stored))
    except zstandard.ZstdError:
        return 0
