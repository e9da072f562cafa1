"""Compress a stream after a prefix, as `zstd --patch-from` does (FORMAT.md §15).

python-zstandard decodes such a frame, but makes none: its raw dictionaries are another thing to the
compressor. The packer takes libzstd as Python 3.14 has it, or backports.zstd.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from bundler.core.decode import decode
from bundler.core.digest import CHUNK, hash_file, read_chunks
from bundler.core.index import BLOCK_SIZE, MAX_WINDOW_LOG, ZSTD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LEAST_LOG: Final = 10  # of a window: zstd has none below 1 KiB


def compress_after(
    prefix: bytes, content: Path, size: int, out: Path, *, level: int, advance: Callable[[int], None]
) -> bool:
    """Compress the `size` bytes of `content` into `out`; tell whether a reader gets them back from it."""
    zstd = library()
    option = zstd.CompressionParameter
    options = {
        option.compression_level: level,
        option.window_log: min(MAX_WINDOW_LOG, max(_LEAST_LOG, (size - 1).bit_length())),
        option.enable_long_distance_matching: 1,
        option.checksum_flag: 1,
        option.content_size_flag: 1,
    }
    dictionary = zstd.ZstdDict(prefix, is_raw=True).as_prefix
    compressor = zstd.ZstdCompressor(options=options, zstd_dict=dictionary)
    compressor.set_pledged_input_size(size)
    with out.open("wb") as stream:
        for data in read_chunks(content, chunk=CHUNK):
            stream.write(compressor.compress(data))
            advance(len(data))
        stream.write(compressor.flush(zstd.ZstdCompressor.FLUSH_FRAME))
    state = hashlib.sha256()
    for data in decode(read_chunks(out, chunk=BLOCK_SIZE), encoding=ZSTD, size=size, prefix=prefix):
        state.update(data)
    return state.hexdigest() == hash_file(content)[0].hex


def library() -> Any:
    """Return the module that compresses; raises `ModuleNotFoundError` where nobody installed it."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
