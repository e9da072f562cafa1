"""Compress streams: one frame, one thread, matches as far back as the window of the format (FORMAT.md §15).

Several workers on one frame would find fewer of the far matches (a fifth more bytes), so cores get a stream
each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from bundler.core.digest import read_chunks
from bundler.core.index import MAX_WINDOW_LOG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FAR: Final = 1 << 20  # bytes of content from which on long-distance matching is worth its table
_TABLE: Final = 8 << 20  # bytes of the table for matches far away; zstd 1.5 crashes when it estimates that


def parameters(level: int, size: int) -> zstandard.ZstdCompressionParameters:
    """Return how `size` bytes are compressed at zstd's `level`."""
    return zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=size,
        window_log=MAX_WINDOW_LOG,
        enable_ldm=size > _FAR,
        write_checksum=True,
        write_content_size=True,
    )


def memory(level: int) -> int:
    """Return the bytes that one compressor takes for a long stream, its window included."""
    plain = zstandard.ZstdCompressionParameters.from_level(level, window_log=MAX_WINDOW_LOG)
    return plain.estimated_compression_context_size() + (1 << MAX_WINDOW_LOG) + _TABLE


def compress(content: Path, size: int, out: Path, *, level: int, advance: Callable[[int], None]) -> None:
    """Compress the `size` bytes of `content` into `out`."""
    compressor = zstandard.ZstdCompressor(compression_params=parameters(level, size))
    with out.open("wb") as stream, compressor.stream_writer(stream, size=size, closefd=False) as writer:
        for data in read_chunks(content):
            writer.write(data)
            advance(len(data))
