"""Where the bytes at a position last stood, for a whole piece of input at once.

zlib chains positions by a hash of three bytes and walks the chain, up to thousands of steps. Here a step is a
loop of CPython, so there are two chains more, by four and by seven bytes: the match that zlib takes is the
longest one, so the chain of the longest keys is walked first, and the others only where it has nothing.
The ranks tell how far down zlib's own chain a candidate is, and so whether zlib would have come to it.

All hashes of a piece are computed by a few operations on one big number that has a lane of 16 bits per byte.
"""

from __future__ import annotations

from typing import NamedTuple

LONG = 7  # bytes of the longest keys; of 6, 7, 8, 10 and 12 the fastest at level 6 on archives of Python
LONGEST = 258  # bytes of a match
REACH = 32506  # bytes that a match may lie back: the window less the longest match and what comes with it
_LANE = 16
_STEP = 16  # bytes that are compared at once


class Chains(NamedTuple):
    """For each position of a piece: the position before it with the same hash (0: none), and its rank."""

    three: list[int]
    four: list[int]
    long: list[int]
    ranks: list[int]


def chains(data: bytes, *, hash_bits: int) -> Chains:
    """Link all positions of `data`; `hash_bits` is zlib's, which grows with its memory level."""
    size = len(data)
    lanes = _lanes(data)
    three = _previous(_listed(_zlib_hash(lanes, size, hash_bits), size - 2), size)
    words = lanes ^ lanes >> _LANE << 8
    mixed = words ^ _rotated(words >> 2 * _LANE, size, 5)
    four = _previous(_listed(mixed, size - 3), size)
    mixed ^= _rotated(mixed >> (LONG - 4) * _LANE, size, 10)
    long = _previous(_listed(mixed, size - LONG + 1), size)
    ranks = [0] * (size + 1)
    for at, before in zip(range(size), three, strict=False):
        ranks[at] = ranks[before] + 1
    return Chains(three, four, long, ranks)


def zlib_hashes(data: bytes, *, hash_bits: int) -> list[int]:
    """Return zlib's hash of the three bytes at each position but the last two."""
    return _listed(_zlib_hash(_lanes(data), len(data), hash_bits), len(data) - 2)


def common(data: bytes, one: int, other: int, size: int, most: int) -> int:
    """Return how many bytes are the same at two positions, up to `most`; the first `size` are known to be."""
    number = int.from_bytes
    while size < most:
        there = number(data[other + size : other + size + _STEP], "little")
        differ = number(data[one + size : one + size + _STEP], "little") ^ there
        if differ:
            size += (differ & -differ).bit_length() - 1 >> 3
            break
        size += _STEP
    return min(size, most)


def _lanes(data: bytes) -> int:
    wide = bytearray(2 * len(data))
    wide[::2] = data
    return int.from_bytes(wide, "little")


def _zlib_hash(lanes: int, size: int, bits: int) -> int:
    """Shift each byte in by a third of the hash's bits, as UPDATE_HASH does, and keep the lowest bits."""
    shift, mask = (bits + 2) // 3, (1 << bits) - 1
    first = lanes & _filled(mask >> 2 * shift & 0xFF, size)
    second = lanes >> _LANE & _filled(mask >> shift & 0xFF, size)
    return first << 2 * shift ^ second << shift ^ lanes >> 2 * _LANE


def _rotated(lanes: int, size: int, by: int) -> int:
    low = lanes & _filled((1 << _LANE - by) - 1, size)
    return low << by ^ lanes >> _LANE - by & _filled((1 << by) - 1, size)


def _filled(lane: int, size: int) -> int:
    return int.from_bytes(lane.to_bytes(2, "little") * size, "little")


def _listed(lanes: int, count: int) -> list[int]:
    """Return the first lanes as numbers."""
    if count <= 0:
        return []
    wide = (lanes & (1 << count * _LANE) - 1).to_bytes(2 * count, "little")
    return [*memoryview(wide).cast("H")]


def _previous(hashes: list[int], size: int) -> list[int]:
    heads, previous = [0] * (1 << _LANE), [0] * (size + 1)
    for at, key in enumerate(hashes):
        previous[at] = heads[key]
        heads[key] = at
    return previous
