"""Compress a stream after a prefix, as `zstd --patch-from` does (FORMAT.md §16).

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
from bundler.core.fault import Fault
from bundler.core.index import BLOCK_SIZE, MAX_WINDOW_LOG, ZSTD
from bundler.core.indexchecks import MAX_REACH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LEAST_LOG: Final = 10  # of a window: zstd has none below 1 KiB
_LEAST_TABLE: Final = 10
_FAST, _MIDDLE = 3, 9
_OPTIMAL: Final = 16  # zstd's levels from here on look for matches in trees


def compress_after(
    prefix: bytes, content: Path, size: int, out: Path, *, level: int, advance: Callable[[int], None]
) -> bool:
    """Compress the `size` bytes of `content` into `out`; tell whether a reader gets them back from it.

    Level 9 takes hardly longer than levels 4 to 8 here, and is taken for them: most of the time goes into the
    tables.
    """
    zstd = library()
    option = zstd.CompressionParameter
    options = {
        option.compression_level: max(level, _MIDDLE) if level > _FAST else level,
        option.window_log: min(MAX_WINDOW_LOG, max(_LEAST_LOG, (size - 1).bit_length())),
        option.enable_long_distance_matching: 1,
        option.checksum_flag: 1,
        option.content_size_flag: 1,
    }
    for name, log in _tables(level).items():
        options[option[name]] = min(log, max(_LEAST_TABLE, (size + len(prefix) - 1).bit_length()))
    dictionary = zstd.ZstdDict(prefix, is_raw=True).as_prefix
    compressor = zstd.ZstdCompressor(options=options, zstd_dict=dictionary)
    compressor.set_pledged_input_size(size)
    with out.open("wb") as stream:
        for data in read_chunks(content, chunk=CHUNK):
            stream.write(compressor.compress(data))
            advance(len(data))
        stream.write(compressor.flush(zstd.ZstdCompressor.FLUSH_FRAME))
    state, stored = hashlib.sha256(), read_chunks(out, chunk=BLOCK_SIZE)
    try:
        for data in decode(stored, encoding=ZSTD, size=size, prefix=(prefix,), reach=len(prefix)):
            state.update(data)
    except Fault:
        return False
    return state.hexdigest() == hash_file(content)[0].hex


def _tables(level: int) -> dict[str, int]:
    """Return the logarithms of table sizes; zstd's own are for windows that its levels have without a prefix.

    An old version lies tens of megabytes before the new one. Programs of CPython 3.13.15 after those of
    3.13.5, 36 MB each, took 3.86 MB with these and 4.97 without at level 3, 3.52 and 4.47 at level 9, 2.86
    and 3.02 at level 19.
    """
    if level < _OPTIMAL:
        return {"hash_log": 24, "chain_log": 24}
    return {"hash_log": 24, "chain_log": 26}


def memory(level: int) -> int:
    """Return the bytes that one compressor takes, its prefix and content included."""
    return sum(4 << log for log in _tables(level).values()) + 3 * MAX_REACH


def library() -> Any:
    """Return the module that compresses; raises `ModuleNotFoundError` where nobody installed it."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
