"""A zstd frame with a prefix, written anew as one without (FORMAT.md §16, "prefix").

python-zstandard copies a dictionary, so a prefix would be in memory twice, and the window beside it. But a
raw content dictionary is nothing else than content that was there before: as stored blocks at the begin of
the frame it lies in the decoder's window, once, and the blocks of the frame itself stay as they are. The
checksum has to go, because it is one of the content alone; what counts are the digests of the stored blocks
and of what is rebuilt.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK: Final = 1 << 17  # bytes of a stored block at the most (RFC 8878, 3.1.1.2.3)
_CHECKSUM: Final = 4
_LEAST: Final = 10  # the smallest window is 1 KiB


def without_prefix(pieces: Iterator[bytes], prefix: Iterable[bytes], *, window: int) -> Iterator[bytes]:
    """Yield a frame that decodes to the prefix and then to what `pieces`, a whole frame, decode to behind it.

    The first of the pieces holds the frame's header, and the frame has a checksum. `window` is the prefix and
    the frame's own window, in bytes.
    """
    yield zstandard.MAGIC_NUMBER.to_bytes(4, "little") + bytes([0, _descriptor(window)])
    for data in prefix:
        for at in range(0, len(data), _BLOCK):
            block = data[at : at + _BLOCK]
            yield (len(block) << 3).to_bytes(3, "little") + block
    # Only now: the window was taken before the threads of who reads take address space for themselves.
    held, first = b"", next(pieces, b"")
    rest = first[zstandard.frame_header_size(first) :] if first else b""
    for piece in itertools.chain((rest,), pieces):
        held += piece
        if len(held) > _CHECKSUM:
            yield held[:-_CHECKSUM]
            held = held[-_CHECKSUM:]


def rounded(window: int) -> int:
    """Return the smallest window of a frame that is at least so many bytes."""
    exponent, eighths = divmod(_descriptor(window), 8)
    return (1 << _LEAST + exponent) // 8 * (8 + eighths)


def _descriptor(window: int) -> int:
    """Return the byte that stands for the smallest window of at least so many bytes (RFC 8878, 3.1.1.1.2)."""
    exponent = max(0, (window - 1).bit_length() - 1 - _LEAST) if window > 1 << _LEAST else 0
    eighth = (1 << _LEAST + exponent) // 8
    eighths = max(0, -(-(window - 8 * eighth) // eighth))
    return (exponent + 1) * 8 if eighths > 7 else exponent * 8 + eighths
