"""Raw deflate with windows of 32 KiB as classic zlib 1.2.11 to 1.3 writes it at levels 1 to 9, bit for bit.

Altered from zlib 1.3, Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler, zlib licence. This is
an altered version, a port of the logic to Python, and not the original software.

The bytes are those of zlib when it gets all input in one call, whatever pieces come here. To zlib
pieces matter in one rare case (see `Stream.barrier`): such a stream is not found again, and kept as it is.
"""

from __future__ import annotations

from bundler.core.fault import Fault
from bundler.deflate.greedy import GreedyMatcher
from bundler.deflate.lazy import LazyMatcher
from bundler.deflate.trees import BlockWriter

_WINDOW = 32768
_AHEAD = 262  # bytes that zlib wants to see: the longest match, and three to enter after it, and one
_SLIDE = 2 * _WINDOW - _AHEAD  # where in its buffer of two windows zlib moves the upper one down
_PIECE = 1 << 18  # bytes that are worked on at once, with a window before them
# Level: insert or (good, lazy), nice, chain, as in zlib's configuration_table.
_GREEDY = {1: (4, 8, 4), 2: (5, 16, 8), 3: (6, 32, 32)}
_LAZY = {
    4: (4, 4, 16, 16),
    5: (8, 16, 32, 32),
    6: (8, 16, 128, 128),
    7: (8, 32, 128, 256),
    8: (32, 128, 258, 1024),
    9: (32, 258, 258, 4096),
}


class Stream:
    """What is left of the input, how far it was tallied, and the blocks written of it.

    `data` begins a window or more before `at`; all positions count from its first byte.
    """

    def __init__(self, writer: BlockWriter) -> None:
        self.writer = writer
        self.data = b""
        self.at = 0
        self.barrier = -1  # the position where zlib, short of input, slid its window one byte before it must
        self.ending = False
        self._base = 0  # where zlib's buffer begins
        self._block = 0  # where the block begins, and what of it stands before the data
        self._held = bytearray()

    def end(self, data: bytes) -> None:
        """Take the rest of the input."""
        self.data, self.ending = data, True
        turn = self._base + _SLIDE
        turn += max(0, len(data) - _AHEAD - turn + _WINDOW) // _WINDOW * _WINDOW
        self.barrier = turn if len(data) - turn < _AHEAD else -1

    def flush(self, end: int, top: int) -> None:
        """Write the symbols as a block of what stands before `end`; zlib began its last step at `top`."""
        self._slide(top)
        content = None
        if self._block >= self._base:
            content = bytes(self._held) + self.data[max(0, self._block) : end]
        self.writer.flush_block(content, last=self.ending and top == len(self.data))
        self._block = end
        self._held.clear()

    def forget(self) -> int:
        """Drop the data before the window, and return how many bytes that were."""
        by = max(0, self.at - _WINDOW)
        self._slide(self.at)
        if self._block < self._base:  # it left zlib's buffer and can only be written with codes
            self._held.clear()
        else:
            self._held += self.data[max(0, self._block) : by]
        self.data = self.data[by:]
        self.at -= by
        self._block -= by
        self._base -= by
        return by

    def _slide(self, top: int) -> None:
        """Move zlib's buffer on as it stands when zlib begins a step at `top`."""
        short = self.ending and len(self.data) - top < _AHEAD
        while top >= self._base + _SLIDE + (not short):
            self._base += _WINDOW


class ClassicEncoder:
    """Feed it the content, and the raw deflate stream comes out; holds about half a mebibyte of input.

    Raises `Fault` for a level other than 1 to 9 or a memory level other than 1 to 9.
    """

    def __init__(self, *, level: int, mem_level: int = 8) -> None:
        if level not in range(1, 10) or mem_level not in range(1, 10):
            raise Fault(f"level {level}, memory level {mem_level}: expected 1 to 9")
        bits = mem_level + 7
        self._matcher: GreedyMatcher | LazyMatcher
        if level in _GREEDY:
            insert, nice, chain = _GREEDY[level]
            self._matcher = GreedyMatcher(insert=insert, nice=nice, chain=chain, hash_bits=bits)
        else:
            good, lazy, nice, chain = _LAZY[level]
            self._matcher = LazyMatcher(good=good, lazy=lazy, nice=nice, chain=chain, hash_bits=bits)
        self._stream = Stream(BlockWriter(mem_level=mem_level))
        self._coming: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Take more of the content; return what is ready of the stream, which may be nothing."""
        for begin in range(0, len(data), _PIECE):
            piece = bytes(data[begin : begin + _PIECE])
            self._coming.append(piece)
            self._size += len(piece)
            if self._size >= _PIECE:
                self._run(self._gathered())
        return self._stream.writer.take()

    def finish(self) -> bytes:
        """Return the rest of the stream, after which the encoder is of no more use."""
        stream = self._stream
        stream.end(self._gathered())
        self._matcher.run(stream, len(stream.data))
        stream.flush(stream.at, stream.at)
        return stream.writer.take()

    def _gathered(self) -> bytes:
        data = b"".join((self._stream.data, *self._coming))
        self._coming, self._size = [], 0
        return data

    def _run(self, data: bytes) -> None:
        stream = self._stream
        stream.data = data
        self._matcher.run(stream, len(data) - _AHEAD + 1)
        self._matcher.move(stream.forget())
