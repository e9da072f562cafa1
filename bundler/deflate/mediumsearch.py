"""Two parts of zlib-ng's match search in pure Python: the hash of every position, and a search that is exact.

Altered from zlib-ng 2.3.3 (insert_string.c, match_tpl.h), Copyright (C) 1995-2024 Jean-loup Gailly, Mark
Adler and others, zlib licence. This is an altered version, a port of the logic to Python, and not the
original software.
"""

from __future__ import annotations

import sys
from array import array

MAX_MATCH, MAX_DISTANCE = 258, 32768 - 262
NICE, CHAIN = 128, 128  # level 6
_FACTOR = 2654435761
_LEAST_MATCH = 2  # the longest match that is none


def hashes(data: bytes) -> list[int]:
    """Return for each position with four bytes their hash, 16 bits: the chain that it belongs to."""
    found = [0] * max(0, len(data) - 3)
    # Numbers of 32 bits, each in a lane of 64, are multiplied at once, as one long number.
    lanes = (len(found) + 7) // 8
    every_other = int.from_bytes(b"\xff\xff\xff\xff\0\0\0\0" * lanes, "little")
    for first in range(min(8, len(found))):
        lanes = (len(found) - first + 7) // 8
        words = int.from_bytes(data[first : first + 8 * lanes], "little") & every_other
        products = array("H", (words * _FACTOR).to_bytes(8 * lanes, "little"))
        if sys.byteorder == "big":
            products.byteswap()
        found[first::8] = products[1::4].tolist()
    return found


def longest_match(
    window: bytearray, prev: list[int], *, base: int, at: int, candidate: int, lookahead: int
) -> tuple[int, int]:
    """Return length and position of the match that zlib-ng finds for `at`, a length of 2 where it finds none.

    `at`, `candidate` and `prev` count from where `window` has `base` bytes before it. Chains may hold
    positions after `at`, even in a circle, because zlib-ng inserted them too early; the match may be at one.
    """
    scan, start, best = at - base, 0, _LEAST_MATCH
    limit = max(at - MAX_DISTANCE, base)
    compared = True  # zlib-ng looks where it is only when it has just compared, not when it has skipped
    for _ in range(CHAIN):
        if compared and candidate >= at:
            break
        match = candidate - base
        width = 2 if best < 4 else 4 if best < 8 else 8
        compared = (
            window[match : match + width] == window[scan : scan + width]
            and window[match + best + 1 - width : match + best + 1]
            == window[scan + best + 1 - width : scan + best + 1]
        )
        if compared:
            length = width
            while length < MAX_MATCH and window[match + length] == window[scan + length]:
                length += 1
            if length > best:
                start = candidate
                if length >= lookahead:
                    return lookahead, start
                best = length
                if best >= NICE:
                    break
        candidate = prev[candidate]
        if candidate <= limit:
            break
    return best, start
