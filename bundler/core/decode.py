"""Turn authenticated stored blocks into the bytes of an artifact, within budgets (FORMAT.md §3, "zstd").

A frame of zstd is a header, blocks of at most 128 KiB of content each, and a checksum (RFC 8878, 3.1.1).
The headers of its blocks are read here too: they tell what the next piece inflates to before it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import zstandard

from bundler.core.fault import Fault
from bundler.core.index import IDENTITY, MAX_WINDOW_LOG
from bundler.core.prefixed import rounded, without_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP = 1 << 20  # bytes that one piece inflates to, one block more or less
_BLOCK = 1 << 17  # bytes that a compressed block of zstd inflates to at the most (RFC 8878, 3.1.1.2.3)
_HEADER, _CHECKSUM = 3, 4  # bytes before each block, and after the last one
_RLE, _COMPRESSED = 1, 2  # kinds of blocks; the others are 0, stored as it is, and 3, which zstd refuses
_FREE, _LEAST = 200, 1024  # a frame may have so many blocks, and one more for so many bytes of content


def decode(
    blocks: Iterable[bytes], *, encoding: str, size: int, prefix: Iterable[bytes] = (), reach: int = 0
) -> Iterator[bytes]:
    """Yield the artifact's bytes, exactly `size` of them; raises `Fault` for anything else.

    Raises `MemoryError` where this process may not have the window that the frame asks for.

    `prefix`, of `reach` bytes, is what stands before the content for zstd, its raw content dictionary.

    Holds the prefix, one window (at most 64 MiB) and a few MiB, whatever the stored bytes say.
    """
    if encoding == IDENTITY:
        return iter(blocks)
    return _zstd(blocks, size, prefix, reach)


def _zstd(blocks: Iterable[bytes], size: int, prefix: Iterable[bytes], reach: int) -> Iterator[bytes]:
    pieces, window = _pieces(blocks, size), 1 << MAX_WINDOW_LOG
    if reach:
        window = rounded(reach + min(size, window))
        pieces = without_prefix(pieces, prefix, window=window)
    decoder = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
    total, before = 0, reach
    try:
        for piece in pieces:
            data = decoder.decompress(piece)
            if before:  # the prefix comes out first
                skipped = min(before, len(data))
                before, data = before - skipped, data[skipped:]
            total += len(data)
            if total > size:
                raise Fault(f"expected {size} bytes, found more")
            if data:
                yield data
    except zstandard.ZstdError as error:
        if "not enough memory" in str(error):  # that is no fault of the frame
            raise MemoryError from None
        raise Fault(f"expected one zstd frame: {error}") from None
    if not decoder.eof or decoder.unused_data or total != size:
        raise Fault(f"expected one zstd frame of {size} bytes, found {total} bytes")


def _pieces(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cut the stored bytes where a piece would inflate to more than a step; check where the frame ends."""
    held, count, allowed, ended = b"", 0, _FREE + size // _LEAST, False
    left = -1  # bytes until the next header of a block; nothing was read yet
    for block in blocks:
        if left < 0:
            left = _check_frame(block, size)
        data, begin, room = held + block, 0, _STEP
        at = min(left, len(data))
        left -= at
        while not ended and at + _HEADER <= len(data):
            header = int.from_bytes(data[at : at + _HEADER], "little")
            kind, length, ended = header >> 1 & 3, header >> 3, bool(header & 1)
            inflated = _BLOCK if kind == _COMPRESSED else length
            if inflated > room:
                yield data[begin:at]
                begin, room = at, _STEP
            room -= inflated
            count += 1
            if count > allowed:
                raise Fault(f"expected at most {allowed} blocks of zstd, found more")
            at += _HEADER + (1 if kind == _RLE else length) + ended * _CHECKSUM
        if at > len(data):
            at, left = len(data), at - len(data)
        if ended and not left and at < len(data):
            raise Fault("expected one zstd frame, found bytes after its end")
        held = b"" if ended else data[at:]
        yield data[begin:at]


def _check_frame(block: bytes, size: int) -> int:
    """Check the header of the frame, which `block` begins with; return its length in bytes."""
    frame = zstandard.get_frame_parameters(block)
    if not block.startswith(zstandard.MAGIC_NUMBER.to_bytes(4, "little")):
        raise Fault("expected a zstd frame, found a skippable one")
    if frame.content_size != size or not frame.has_checksum or frame.dict_id:
        raise Fault(f"expected a zstd frame of {size} bytes with a checksum and no dictionary")
    if frame.window_size > 1 << MAX_WINDOW_LOG:
        raise Fault(f"expected a window of at most {1 << MAX_WINDOW_LOG} bytes, found {frame.window_size}")
    return zstandard.frame_header_size(block)
