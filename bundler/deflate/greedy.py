"""zlib's levels 1 to 3: the first good match is taken at once (deflate.c: deflate_fast, longest_match).

Altered from zlib 1.3, Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler, zlib licence. This is
an altered version, a port of the logic to Python, and not the original software.

Positions inside of a long match are never entered into the hash chains, so these grow with the matches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.deflate.chains import LONGEST, REACH, common, zlib_hashes
from bundler.deflate.trees import SHIFT

if TYPE_CHECKING:
    from bundler.deflate.classic import Stream


class GreedyMatcher:
    """Finds the matches of levels 1 to 3; holds the hash chains."""

    def __init__(self, *, insert: int, nice: int, chain: int, hash_bits: int) -> None:
        self._insert, self._nice, self._chain = insert, nice, chain
        self._hash_bits = hash_bits
        self._heads = [0] * (1 << hash_bits)
        self._previous: list[int] = []

    def move(self, by: int) -> None:
        """Positions become smaller by so many bytes; 0 ends a chain."""
        self._heads = [at - by if at > by else 0 for at in self._heads]
        self._previous = [at - by if at > by else 0 for at in self._previous[by:]]

    def run(self, stream: Stream, stop: int) -> None:  # noqa: C901
        """Tally what stands before `stop`, or a little more.

        It is one function because a call, or an attribute, costs CPython as much as a step of a walk.
        """
        data, at, end, barrier = stream.data, stream.at, len(stream.data), stream.barrier
        insert, nice, chain = self._insert, self._nice, self._chain
        hashes = zlib_hashes(data, hash_bits=self._hash_bits)
        heads, previous = self._heads, self._previous
        previous += [0] * (end - len(previous))
        symbols, capacity, flush = stream.writer.symbols, stream.writer.capacity, stream.flush
        append, startswith = symbols.append, data.startswith
        while at < stop:
            best, begin = 2, at
            if end - at >= 3:
                key = hashes[at]
                step = previous[at] = heads[key]
                heads[key] = at
                limit = at - REACH if at > REACH else 0
                # The first step may go one byte farther than the others.
                if step > limit or (step == limit > 0 and at != barrier):
                    wanted, most = data[at : at + 3], min(LONGEST, end - at)
                    for _ in range(chain):
                        if startswith(wanted, step):
                            best, found = common(data, at, step, len(wanted), most), at - step
                            if best >= nice or best == most:
                                break
                            wanted = data[at : at + best + 1]
                        step = previous[step]
                        if step <= limit:
                            break
            if best > 2:
                append(found << SHIFT | best)
                at += best
                if best <= insert and end - at >= 3:
                    for inside in range(begin + 1, at):
                        key = hashes[inside]
                        previous[inside] = heads[key]
                        heads[key] = inside
            else:
                append(data[at])
                at += 1
            if len(symbols) == capacity:
                flush(at, begin)
        stream.at = at
