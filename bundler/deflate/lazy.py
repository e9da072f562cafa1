"""zlib's levels 4 to 9: a match waits one position for a longer one (deflate.c: deflate_slow, longest_match).

Altered from zlib 1.3, Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler, zlib licence. This is
an altered version, a port of the logic to Python, and not the original software.

At these levels zlib enters every position into its chains, whatever it finds there; so the chains are known
before the first match is looked for (see `chains`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.deflate.chains import LONG, LONGEST, REACH, chains, common
from bundler.deflate.trees import SHIFT

if TYPE_CHECKING:
    from bundler.deflate.classic import Stream

_TOO_FAR = 4096  # a match of three bytes from farther back than this costs more than it saves


class LazyMatcher:
    """Finds the matches of levels 4 to 9; holds the one that waits while the input comes in pieces."""

    def __init__(self, *, good: int, lazy: int, nice: int, chain: int, hash_bits: int) -> None:
        self._good, self._lazy, self._nice, self._chain = good, lazy, nice, chain
        self._hash_bits = hash_bits
        self._length, self._distance = 2, 0

    def move(self, by: int) -> None:
        """Positions become smaller by so many bytes; the chains are made anew for each piece anyway."""

    def run(self, stream: Stream, stop: int) -> None:  # noqa: C901, PLR0912, PLR0915
        """Tally what stands before `stop`, or a little more.

        It is one function with two similar walks in it because a call, or an attribute, costs CPython as much
        as a step of a walk.
        """
        data, at, end, barrier = stream.data, stream.at, len(stream.data), stream.barrier
        three, four, long, ranks = chains(data, hash_bits=self._hash_bits)
        good, lazy, nice, chain = self._good, self._lazy, self._nice, self._chain
        length, distance = self._length, self._distance  # of the match that waits; a length of 2: none does
        symbols, capacity, flush = stream.writer.symbols, stream.writer.capacity, stream.flush
        append, startswith = symbols.append, data.startswith
        while at < stop:
            best = length
            if length < lazy:
                limit = at - REACH if at > REACH else 0
                floor = ranks[at] - (chain if length < good else chain >> 2)
                if three[at] == limit > 0 and at != barrier:
                    limit -= 1  # zlib's first step may go one byte farther than the others
                step = long[at]
                if step > limit:
                    wanted = data[at : at + (LONG if best < LONG else best + 1)]
                    while True:
                        if ranks[step] < floor:
                            if startswith(wanted[:3], step):  # else the rank is that of another hash
                                break
                        elif startswith(wanted, step):
                            most = min(LONGEST, end - at)
                            size = common(data, at, step, len(wanted), most)
                            if size > best:
                                best, found = size, at - step
                            if size >= nice or size == most:
                                break
                            wanted = data[at : at + size + 1]
                        step = long[step]
                        if step <= limit:
                            break
                if best == length < LONG - 1:
                    step = four[at]
                    if step > limit:
                        wanted = data[at : at + (4 if best < 4 else best + 1)]
                        while True:
                            if ranks[step] < floor:
                                if startswith(wanted[:3], step):
                                    break
                            elif startswith(wanted, step):
                                most = min(LONG - 1, end - at)
                                size = common(data, at, step, len(wanted), most)
                                if size > best:
                                    best, found = size, at - step
                                if size == most:  # a longer one would have been in the chain of long keys
                                    break
                                wanted = data[at : at + size + 1]
                            step = four[step]
                            if step <= limit:
                                break
                    if best == 2:
                        step = three[at]
                        limit = at - _TOO_FAR - 1 if at > _TOO_FAR else 0
                        if step > limit:
                            wanted = data[at : at + 3]
                            while step > limit:
                                if startswith(wanted, step):
                                    if ranks[step] >= floor:
                                        best, found = 3, at - step
                                    break
                                step = three[step]
            if best > length:
                if length > 2:  # the match that waited begins with a literal instead
                    append(data[at - 1])
                    if len(symbols) == capacity:
                        flush(at, at)
                length, distance = best, found
                at += 1
            elif length > 2:
                append(distance << SHIFT | length)
                at += length - 1
                if len(symbols) == capacity:
                    flush(at, at - length + 1)
                length = 2
            else:
                append(data[at])
                at += 1
                if len(symbols) == capacity and at < end:
                    flush(at, at)
        stream.at, self._length, self._distance = at, length, distance
