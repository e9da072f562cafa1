"""The state of zlib-ng's deflate at level 6, and what each call of it does, in pure Python.

Altered from zlib-ng 2.3.3 (deflate.c, deflate_medium.c, match_tpl.h), Copyright (C) 1995-2024 Jean-loup
Gailly and Mark Adler, (C) 2013 Intel Corporation (Arjan van de Ven) and others, zlib licence. This is an
altered version, a port of the logic to Python, and not the original software.

Where zlib-ng counts from the begin of its window, which slides, positions here count from the begin of
`_data`, and `_base` says where the window begins. `_window` is zlib-ng's own, for what lies in it behind the
input: now and then zlib-ng compares that too.
"""

from __future__ import annotations

from itertools import repeat

from bundler.deflate.mediumsearch import CHAIN, MAX_DISTANCE, MAX_MATCH, NICE, hashes, longest_match
from bundler.deflate.trees import SHIFT, BlockWriter

_OUTPUT = 32768  # the buffer of flate2's writers
_HALF = 32768  # the window is twice as large, and slides by that
_WINDOW = 2 * _HALF
_MIN_LOOKAHEAD = 262
_LEAST = 4  # bytes of the shortest match
_STEP = 8  # bytes compared at once where a match goes on
_CANDIDATES = (None,) * CHAIN


class MediumState:
    """One stream in the making: input is prepared with `load` and compressed by `write` and `finish`."""

    def __init__(self, *, max_lazy: int) -> None:
        self._max_insert = 16 * max_lazy
        self._blocks = BlockWriter()
        self._out: list[bytes] = []
        self._pending = 0  # bytes of output that did not fit into the buffer
        self._room = 0  # bytes left in the buffer

        self._data = b""
        self._hashes: list[int] = []
        self._head = [0] * 65536  # the last position of each chain; 0 is none
        self._prev: list[int] = []  # the position before, in the same chain
        self._window = bytearray(_WINDOW)
        self._base = 0
        self._at = 0  # zlib-ng: strstart
        self._lookahead = 0
        self._input = 0  # bytes of the current write that are not in the window
        self._block = 0  # where the current block begins
        self._far = -1  # the last position that was looked ahead at

    def load(self, fresh: list[bytes]) -> None:
        """Prepare input for later writes, and forget what is no longer in the window."""
        base = self._base
        kept = len(self._data) - base
        known = len(self._hashes)
        self._data = b"".join((self._data[base:], *fresh))
        self._hashes = self._hashes[base:]
        self._hashes += hashes(self._data[known - base :])
        if base:
            self._head = [at - base if at > base else 0 for at in self._head]
            self._prev = [at - base if at > base else 0 for at in self._prev[base:]]
        self._prev += repeat(0, len(self._data) - kept)
        self._at -= base
        self._block -= base
        self._far -= base
        self._base = 0

    def write(self, size: int) -> None:
        """Compress so many bytes of what was loaded, as one write into flate2's encoder."""
        self._input = size
        while self._input:
            self._call(finish=False)

    def finish(self) -> None:
        """End the stream."""
        while not self._call(finish=True):
            pass

    def take(self) -> bytes:
        """Return what was written since the last call."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _call(self, *, finish: bool) -> bool:
        """Do what one `deflate` with an empty output buffer does; return whether the stream is done."""
        self._room = _OUTPUT
        self._drain()
        return self._room > 0 and self._compress(finish=finish)

    def _drain(self) -> None:
        moved = min(self._pending, self._room)
        self._pending -= moved
        self._room -= moved

    def _flush(self, *, last: bool) -> None:
        content = self._data[self._block : self._at] if self._block >= self._base else None
        self._blocks.flush_block(content, last=last)
        self._block = self._at
        out = self._blocks.take()
        self._out.append(out)
        self._pending += len(out)
        self._drain()

    def _insert(self, at: int) -> int:
        """Put a position into its chain, unless it is the last one there; return the last one before."""
        chain = self._hashes[at]
        before = self._head[chain]
        if before != at:
            self._prev[at] = before
            self._head[chain] = at
        return before

    def _fill(self) -> None:
        """Do what fill_window does: slide, and take of the write what the window has room for."""
        while True:
            if self._at - self._base >= _HALF + MAX_DISTANCE:
                self._window[:_HALF] = self._window[_HALF:]
                self._base += _HALF
            if not self._input:
                return
            end = self._at + self._lookahead
            taken = min(self._input, self._base + _WINDOW - end)
            self._window[end - self._base : end - self._base + taken] = self._data[end : end + taken]
            self._input -= taken
            self._lookahead += taken
            if self._lookahead >= 3 and self._at > self._base:
                self._insert(self._at - 1)
            if self._lookahead >= _MIN_LOOKAHEAD:
                return

    def _search(self, at: int, lookahead: int) -> tuple[int, int]:
        """Insert a position and search its match, step by step as zlib-ng does; a literal has length 1."""
        candidate = self._insert(at)
        if candidate == self._base or not 0 < at - candidate <= MAX_DISTANCE:
            return 1, 0
        length, start = longest_match(
            self._window,
            self._prev,
            base=self._base,
            at=at,
            candidate=candidate,
            lookahead=lookahead,
        )
        return (1, 0) if length < _LEAST or start >= at else (length, start)

    # One function with conditionals for min and max, because calls cost more than the work between them.
    def _compress(self, *, finish: bool) -> bool:  # noqa: C901, PLR0912, PLR0915
        """Do what deflate_medium does; return whether the last block was written."""
        data, hashed, head, prev = self._data, self._hashes, self._head, self._prev
        symbols, capacity = self._blocks.symbols, self._blocks.capacity
        append = symbols.append
        at, far, base = self._at, self._far, self._base
        end = at + self._lookahead
        near, edge = end - _MIN_LOOKAHEAD, base + _WINDOW - _MIN_LOOKAHEAD
        next_length = next_start = next_first = 0
        while True:
            if at > near:
                self._at, self._lookahead, self._far = at, end - at, far
                self._fill()
                base, end = self._base, at + self._lookahead
                near, edge = end - _MIN_LOOKAHEAD, base + _WINDOW - _MIN_LOOKAHEAD
                if self._lookahead < _MIN_LOOKAHEAD and not finish:
                    return False
                if not self._lookahead:
                    self._flush(last=True)
                    return True
                next_length = 0
            if next_length:
                length, start, first = next_length, next_start, next_first
            else:
                length, start, first = 1, 0, at + 1
                if end - at >= _LEAST:
                    length, start = self._search(at, end - at)
            ahead = at + length

            # The positions that the match covers go into their chains.
            if length > 1 and end - ahead > _LEAST:
                if length > self._max_insert:
                    self._insert(ahead - 1)
                elif first > far:
                    for covered in range(first, ahead):
                        chain = hashed[covered]
                        prev[covered] = head[chain]
                        head[chain] = covered
                else:
                    for covered in range(first, ahead):
                        self._insert(covered)

            # One match is looked ahead for.
            if at >= near or ahead >= edge:
                next_length = 0
            elif ahead <= far:
                next_first = ahead + 1
                next_length, next_start = self._search(ahead, end - at)
            else:
                far = ahead
                next_first = ahead + 1
                next_length = 1
                chain = hashed[ahead]
                candidate = head[chain]
                prev[ahead] = candidate
                head[chain] = ahead
                limit = ahead - MAX_DISTANCE
                if candidate >= limit and candidate != base:
                    if limit < base:  # noqa: PLR1730
                        limit = base
                    # A match that reaches behind the input is dropped before it is used.
                    cap = end - ahead
                    if cap > MAX_MATCH:  # noqa: PLR1730
                        cap = MAX_MATCH
                    best, offset = 3, 0
                    for _ in _CANDIDATES:
                        if hashed[candidate + offset] == chain:
                            reach = best + 1
                            if data[candidate : candidate + reach] == data[ahead : ahead + reach]:
                                while (
                                    reach < cap
                                    and data[candidate + reach : candidate + reach + _STEP]
                                    == data[ahead + reach : ahead + reach + _STEP]
                                ):
                                    reach += _STEP
                                while reach < cap and data[candidate + reach] == data[ahead + reach]:
                                    reach += 1
                                next_length, next_start = reach, candidate
                                if reach >= NICE or reach >= cap:
                                    if reach > cap:
                                        next_length = cap
                                    break
                                best = reach
                                offset = reach - 3
                                chain = hashed[ahead + offset]
                        candidate = prev[candidate]
                        if candidate <= limit:
                            break

            # A match that the next one could begin earlier for is given up, but for one byte or none.
            if next_length > 1 < length:
                back = next_start - length + 1
                if back >= base and data[back] == data[at + 1]:
                    left, earlier, longer = length, next_start, next_length
                    while (
                        left
                        and longer < 256
                        and earlier - base > 1
                        and data[earlier - 1] == data[at + left - 1]
                    ):
                        left -= 1
                        earlier -= 1
                        longer += 1
                    if left <= 1:
                        length, next_length, next_start = left, longer, earlier

            if length > 1:
                append(at - start << SHIFT | length)
            elif length:
                append(data[at])
            at += length
            if len(symbols) == capacity:
                self._at, self._lookahead, self._far = at, end - at, far
                self._flush(last=False)
                if not self._room:
                    return False
