"""Raw deflate as Rust's `flate2` with `miniz_oxide` writes it, bit for bit, in pure Python.

python-build-standalone's archives of 2024-07 to 2025-10 are of this kind. This is the reference: it needs
no library that could change. `bundler.deflate.nativeminiz` is the fast road to the same bytes.

Ported from `miniz_oxide` 0.7 and 0.8 (`deflate/core.rs`: MIT, Zlib or Apache-2.0 licence, Frommi and
contributors), which was ported from `miniz.c` (MIT licence, Rich Geldreich, RAD Game Tools, Valve).
"""

from __future__ import annotations

from bundler.deflate.minizblock import MATCH, BlockWriter
from bundler.deflate.minizchains import LONGEST, TURN, WINDOW, Chains

_LEVELS = range(2, 11)
_LAZY = 4  # the lowest level that looks whether the next byte begins a longer match
_ENOUGH = 128  # bytes of a match that is taken without that look
_FAR = 1 << 13  # bytes; a match of three that lies as far is not worth it
_MANY = 2 * TURN  # positions to drop at once, which renumbers all others
_CODES = (1 << 16) - 8  # bytes of codes that end a block
_FAT = 31 << 10  # bytes of content that end a block which hardly shrinks


class MinizEncoder:
    """A raw deflate stream of miniz at `level` 2 to 10; the output does not depend on how the input is cut.

    Level 1 is another algorithm of miniz, and level 0 stores. Raises `ValueError` for them.
    """

    def __init__(self, *, level: int = 6) -> None:
        if level not in _LEVELS:
            raise ValueError(f"level of miniz: found {level}, expected 2 to 10")
        self._lazy = level >= _LAZY
        self._chains = Chains(level=level)
        self._writer = BlockWriter()
        self._new = bytearray()
        self._at = 0  # position of the next byte to encode
        self._saved = 0, 0  # distance and length of a match one byte before, or (0, 0)
        self._block = 0  # position where the block began
        self._tokens: list[int] = []
        self._matches = 0  # of the tokens

    def feed(self, data: bytes | memoryview) -> bytes:
        """Return the bytes that are certain now; none for less than 64 KiB of new input."""
        self._new += data
        found = []
        while len(self._new) >= TURN:
            piece = bytes(memoryview(self._new)[:TURN])
            del self._new[:TURN]
            found.append(self._encode(piece, last=False))
        return b"".join(found)

    def finish(self) -> bytes:
        """Return the rest of the stream."""
        piece = bytes(self._new)
        self._new.clear()
        return self._encode(piece, last=True)

    def _encode(self, piece: bytes, *, last: bool) -> bytes:
        if self._at >= _MANY + WINDOW:
            self._chains.drop(_MANY)
            self._at, self._block = self._at - _MANY, self._block - _MANY
        self._chains.add(piece)
        end = len(self._chains.data)
        stop = end if last else end - LONGEST + 1
        found = []
        while self._at < stop:
            ahead = self._parse(stop, end)
            size = self._at - self._block - (self._saved[1] > 0)
            if self._full(size):
                found.append(self._flush(size, ahead, last=False))
        if last:
            found.append(self._flush(self._at - self._block, 0, last=True))
        return b"".join(found)

    def _parse(self, stop: int, end: int) -> int:
        """Encode until the block may be full, or until `stop`; return how many bytes were read ahead then."""
        at, data, tokens, longest, lazy = (
            self._at,
            self._chains.data,
            self._tokens,
            self._chains.longest,
            self._lazy,
        )
        (far, saved), matches = self._saved, 0
        check = at + self._spare()
        ahead = 0
        while at < check and at < stop:
            ahead = min(LONGEST, end - at)
            distance, length = longest(at, saved or 2, ahead)
            if (length == 3 and distance >= _FAR) or distance == at % WINDOW:  # the latter is a slip of miniz
                distance = length = 0
            move = 1
            if saved and length <= saved:
                tokens.append(far << MATCH | saved)
                matches, move, saved = matches + 1, saved - 1, 0
            else:
                if saved or not distance:
                    tokens.append(data[at - 1] if saved else data[at])
                if not distance:
                    pass
                elif lazy and length < _ENOUGH:
                    far, saved = distance, length
                else:
                    tokens.append(distance << MATCH | length)
                    matches, move, saved = matches + 1, length, 0
            at += move
            ahead -= move
        self._at, self._saved = at, (far, saved)
        self._matches += matches
        return ahead

    def _code_bytes(self) -> int:
        """Return how full the buffer of miniz is: a literal takes 1 byte, a match 3, eight of both 1 more."""
        return 1 + len(self._tokens) + 2 * self._matches + len(self._tokens) // 8

    def _full(self, size: int) -> bool:
        codes = self._code_bytes()
        return codes > _CODES or (size > _FAT and codes * 115 >> 7 >= size)

    def _spare(self) -> int:
        """Return a number of bytes that can surely be encoded before the block is full, 1 at least.

        A byte of input makes 9/8 bytes of codes at the most, a few at the edges left aside. So codes, of
        which miniz counts 115/128, catch up with the content by 1 byte in 93 at the most.
        """
        codes, size = self._code_bytes(), self._at - self._block
        room = (_CODES - codes) * 8 // 9
        thin = (size - codes * 115 // 128) * 93
        return max(1, min(room, max(_FAT - size, thin)) - 1000)

    def _flush(self, size: int, ahead: int, *, last: bool) -> bytes:
        """Return the whole bytes of a block of `size` bytes of content, and begin the next one."""
        begin, kept = self._block, self._at - self._block + ahead <= WINDOW
        raw = self._chains.data[begin : begin + size] if kept else None
        found = self._writer.write(self._tokens, size, last=last, raw=raw)
        self._tokens, self._matches = [], 0
        self._block += size
        return found
