"""Turn authenticated stored blocks into the bytes of an artifact, within budgets (FORMAT.md §3, "zstd")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zstandard

from bundler.core.fault import Fault
from bundler.core.index import IDENTITY, MAX_WINDOW_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP = 1 << 10  # bytes fed at once: 256 blocks of zstd at the most, so 32 MiB of output
_FLUSH = 1 << 20  # bytes gathered before they are handed on


def decode(blocks: Iterable[bytes], *, encoding: str, size: int) -> Iterator[bytes]:
    """Yield the artifact's bytes, exactly `size` of them; raises `Fault` for anything else.

    Holds one window (at most 128 MiB) and a few MiB, whatever the stored bytes say.
    """
    if encoding == IDENTITY:
        return iter(blocks)
    return _zstd(blocks, size)


def _zstd(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << MAX_WINDOW_LOG).decompressobj()
    gathered, total, begun = bytearray(), 0, False
    try:
        for block in blocks:
            if not begun:
                _check_frame(block, size)
                begun = True
            for at in range(0, len(block), _STEP):
                if decoder.eof:
                    raise Fault("expected one zstd frame, found bytes after its end")
                gathered += decoder.decompress(block[at : at + _STEP])
                if total + len(gathered) > size:
                    raise Fault(f"expected {size} bytes, found more")
                if len(gathered) >= _FLUSH:
                    total += len(gathered)
                    yield bytes(gathered)
                    gathered.clear()
    except zstandard.ZstdError as error:
        raise Fault(f"expected one zstd frame: {error}") from None
    if not decoder.eof or decoder.unused_data or total + len(gathered) != size:
        raise Fault(f"expected one zstd frame of {size} bytes, found {total + len(gathered)} bytes")
    if gathered:
        yield bytes(gathered)


def _check_frame(block: bytes, size: int) -> None:
    frame = zstandard.get_frame_parameters(block)
    if not block.startswith(zstandard.MAGIC_NUMBER.to_bytes(4, "little")):
        raise Fault("expected a zstd frame, found a skippable one")
    if frame.content_size != size or not frame.has_checksum or frame.dict_id:
        raise Fault(f"expected a zstd frame of {size} bytes with a checksum and no dictionary")
    if frame.window_size > 1 << MAX_WINDOW_LOG:
        raise Fault(f"expected a window of at most {1 << MAX_WINDOW_LOG} bytes, found {frame.window_size}")
