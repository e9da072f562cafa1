"""The window of miniz and the chains of positions in it that share the hash of three bytes.

Ported from `miniz_oxide` 0.7 and 0.8 (`deflate/core.rs`: MIT, Zlib or Apache-2.0 licence, Frommi and
contributors), which was ported from `miniz.c` (MIT licence, Rich Geldreich, RAD Game Tools, Valve).

miniz keeps positions in 16 bits, which shows: a position that is a multiple of 65 536 ends its chain. A link
from 65 536 bytes ago or more, which it takes for a near one, shows nowhere: by then, all that begins with the
three bytes and lies in the window has been seen.
"""

from __future__ import annotations

from struct import unpack
from typing import Final

WINDOW: Final = 1 << 15  # bytes, those that are not yet encoded included
LONGEST: Final = 258  # bytes of a match
TURN: Final = 1 << 16  # positions that 16 bits tell apart
_NONE = -(1 << 60)  # a link to nowhere
_ENDED = -(1 << 61)  # a link that miniz cannot follow, though there is something
_SURE = -(3 << 59)  # links above this are not of the second kind
_PROBES = (0, 1, 6, 32, 16, 32, 128, 256, 512, 768, 1500)  # per level
_FEW = 6  # a multiple of 3: links to follow before it pays to ask whether there can be anything
_TRIES = 16  # links to follow for the answer


class Chains:
    """A sliding part of the input, addressed by position, and a search in it as thorough as `level` says."""

    def __init__(self, *, level: int) -> None:
        probes = _PROBES[level]
        self._steps = 3 * ((probes + 2) // 3), 3 * (((probes >> 2) + 2) // 3)
        self.data = b""
        self._pairs: list[int] = []  # of each position: two bytes in one number
        self._before: list[int] = []  # of each position: the last one before it with the same hash
        self._heads = [_NONE] * (1 << 15)

    def add(self, piece: bytes) -> None:
        """Append input; a position joins its chain as soon as its three bytes are there."""
        begin = max(0, len(self.data) - 2)
        self.data += piece
        count = len(self.data) - begin
        wide = bytearray(2 * count)
        wide[::2] = self.data[begin:]
        number = int.from_bytes(wide, "little")  # 16 bits for each byte: what follows is done to all at once
        del self._pairs[begin:]
        self._pairs += _words(number | number >> 8, count)
        low = int.from_bytes(b"\x1f\0" * count, "little")
        hashes = _words((number & low) << 10 ^ number >> 16 << 5 ^ number >> 32, max(0, count - 2))
        while hashes:
            room = TURN - begin % TURN
            self._link(hashes[:room], begin)
            hashes, begin = hashes[room:], begin + room

    def _link(self, hashes: tuple[int, ...], begin: int) -> None:
        heads, append = self._heads, self._before.append
        for position, value in enumerate(hashes, begin):
            append(heads[value])
            heads[value] = position
        if begin % TURN == 0:
            self._end(hashes, begin)

    def _end(self, hashes: tuple[int, ...], begin: int) -> None:
        """Let the chain of a position that is 0 in 16 bits end with the one behind it."""
        value = hashes[0]
        after = next((n for n, other in enumerate(hashes) if n and other == value), None)
        if after is None:
            self._heads[value] = _ENDED
        else:
            self._before[begin + after] = _ENDED

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes, a multiple of `TURN`; all positions become smaller by it."""
        self.data = self.data[count:]
        del self._pairs[:count]
        self._before = [position - count for position in self._before[count:]]
        self._heads = [position - count for position in self._heads]

    def longest(self, at: int, length: int, ahead: int) -> tuple[int, int]:
        """Return distance and length of the match at `at` that miniz finds, of at most `ahead` bytes.

        It is longer than `length`, which is 2 at least; or there is none: then return (0, `length`).
        """
        if length >= ahead:
            return 0, length
        data, pairs, before = self.data, self._pairs, self._before
        low = at - WINDOW + ahead
        distance, q, start, wanted, last = 0, at, pairs[at], pairs[at + length - 1], length - 1
        left = self._steps[length >= 32]
        pause = max(0, left - _FEW)
        while True:
            for left in range(left - 1, pause - 1, -1):  # noqa: B007, B020  # it goes on where it was
                q = before[q]
                if q < low:
                    return distance, length
                if pairs[q + last] == wanted:
                    break
            else:
                if not pause or (length > 2 and self._alone(at, length, low)):
                    return distance, length
                pause = 0
                continue
            left -= left % 3  # a hit uses up its three
            if pairs[q] == start and data.startswith(data[at : at + length], q):
                length += 1
                while length < ahead and data[at + length] == data[q + length]:
                    length += 1
                distance, last = at - q, length - 1
                if length == ahead:
                    return distance, length
                wanted, pause = pairs[at + last], max(0, left - _FEW)

    def _alone(self, at: int, length: int, low: int) -> bool:
        """Return whether surely nothing in the window has the `length` + 1 bytes that are at `at`.

        The last three of them have a chain, too. This changes nothing of what is found, only how soon.
        """
        data, pairs, before = self.data, self._pairs, self._before
        shift, start, text = length - 2, pairs[at], data[at : at + length + 1]
        q, low = at + shift, low + shift
        for _ in range(_TRIES):
            q = before[q]
            if q < low:
                return q > _SURE
            if pairs[q - shift] == start and data.startswith(text, q - shift):
                return False
        return False


def _words(number: int, count: int) -> tuple[int, ...]:
    """Return the lowest `count` words of 16 bits."""
    return unpack(f"<{count}H", (number & (1 << 16 * count) - 1).to_bytes(2 * count, "little"))
