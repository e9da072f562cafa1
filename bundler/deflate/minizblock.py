"""Blocks of a deflate stream as miniz writes them: codes, headers, and stored where that is not longer.

Ported from `miniz_oxide` 0.7 and 0.8 (`deflate/core.rs`: MIT, Zlib or Apache-2.0 licence, Frommi and
contributors), which was ported from `miniz.c` (MIT licence, Rich Geldreich, RAD Game Tools, Valve).
The order of ties, the way a code is shortened and the runs in a header are theirs, as each changes bytes.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MATCH: Final = 9  # a token below 256 is a literal, any other is distance << MATCH | length
_LENGTH = (1 << MATCH) - 1
_END = 256  # the symbol after the last one of a block
_STATIC_BELOW = 48  # bytes of content; a shorter block takes the codes of RFC 1951, 3.2.6
_RAW_ABOVE = 32  # bytes of content; a shorter block is never stored
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)  # RFC 1951, 3.2.7
_STATIC_LITERALS = (*[8] * 144, *[9] * 112, *[7] * 24, *[8] * 8)


def _ranges(extra: Iterable[int], begin: int) -> list[tuple[int, int]]:
    """Return (first value, extra bits) of each symbol."""
    found = []
    for bits in extra:
        found.append((begin, bits))
        begin += 1 << bits
    return found


_LENGTHS = [*_ranges([0] * 8 + [n for n in range(1, 6) for _ in range(4)], 3)[:28], (258, 0)]
_DISTANCES = _ranges([0, 0, *(n for n in range(14) for _ in range(2))], 1)
_LENGTH_SYMBOLS = bytes(
    max([s for s, (first, _) in enumerate(_LENGTHS) if first <= n], default=0) for n in range(259)
)
_DISTANCE_SYMBOLS = bytes(1) + b"".join(bytes([s]) * (1 << bits) for s, (_, bits) in enumerate(_DISTANCES))


class BlockWriter:
    """The bits of one stream, from the tokens of its blocks."""

    def __init__(self) -> None:
        self._bits, self._held = 0, 0  # fewer than 8 bits that wait for their byte, and how many

    def write(self, tokens: list[int], size: int, *, last: bool, raw: bytes | None) -> bytes:
        """Return the bytes that a block of `size` bytes of content completes; all of them, if it is the last.

        `raw` is the content, or None where the window of the encoder has lost some of it.
        """
        static = size < _STATIC_BELOW
        coded = _coded(tokens, static=static)
        lead = self._held + 1  # bits until the kind of the block
        whole = (lead + len(coded)) // 8 - lead // 8  # bytes that miniz would have written for it
        pieces = [coded, "1" if last else "0", self._text()]
        if size > _RAW_ABOVE and whole + 1 >= size and raw is not None:
            padding = -(lead + 2) % 8
            lengths = f"{~size & 0xFFFF:016b}{size & 0xFFFF:016b}"
            head = self._pack([lengths, "0" * padding, "00", *pieces[1:]], last=False)
            return head + raw
        return self._pack(pieces, last=last)

    def _text(self) -> str:
        return f"{self._bits:0{self._held}b}" if self._held else ""

    def _pack(self, pieces: list[str], *, last: bool) -> bytes:
        text = "".join(pieces)  # the last bit first, as int() reads it
        if last:
            text = "0" * (-len(text) % 8) + text
        whole, self._held = divmod(len(text), 8)
        number = int(text or "0", 2)
        self._bits = number >> 8 * whole
        return (number & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")


def _coded(tokens: list[int], *, static: bool) -> str:
    """Return kind, header, tokens and end of a block as digits of bits, the last one first."""
    counts = Counter(tokens)
    literals, distances = [0] * 288, [0] * 32
    for token, count in counts.items():
        if token < _END:
            literals[token] = count
        else:
            literals[257 + _LENGTH_SYMBOLS[token & _LENGTH]] += count
            distances[_DISTANCE_SYMBOLS[token >> MATCH]] += count
    literals[_END] = 1
    if static:
        sizes, far_sizes = list(_STATIC_LITERALS), [5] * 32
        head = "01"
    else:
        sizes, far_sizes = code_sizes(literals, 15), code_sizes(distances, 15)
        head = _header(sizes, far_sizes) + "10"
    codes, far_codes = _codes(sizes), _codes(far_sizes)
    near = [_extra(n, _LENGTHS[s]) + codes[257 + s] for n, s in enumerate(_LENGTH_SYMBOLS)]
    texts = {}
    for token in counts:
        if token < _END:
            texts[token] = codes[token]
        else:
            distance = token >> MATCH
            texts[token] = (
                _far_extra(distance) + far_codes[_DISTANCE_SYMBOLS[distance]] + near[token & _LENGTH]
            )
    return codes[_END] + "".join(map(texts.__getitem__, reversed(tokens))) + head


@cache
def _far_extra(distance: int) -> str:
    return _extra(distance, _DISTANCES[_DISTANCE_SYMBOLS[distance]])


def _extra(value: int, found: tuple[int, int]) -> str:
    """Return the digits that follow a symbol which begins at a value and has so many extra bits."""
    begin, bits = found
    return _digits(value - begin, bits)


def _digits(value: int, bits: int) -> str:
    return f"{value:0{bits}b}" if bits else ""


def _header(sizes: list[int], far_sizes: list[int]) -> str:
    """Return the sizes of both codes (RFC 1951, 3.2.7) as digits, the last one first."""
    most = max(s for s in range(_END, 286) if sizes[s]) + 1
    far = max((s for s in range(30) if far_sizes[s]), default=0) + 1
    runs = list(_runs([*sizes[:most], *far_sizes[:far]]))
    counts = [0] * 19
    for symbol, _, _ in runs:
        counts[symbol] += 1
    third = code_sizes(counts, 7)
    codes = _codes(third)
    kept = max(n for n, symbol in enumerate(_ORDER) if third[symbol]) + 1  # at least 5: some size is not 0
    pieces = [_digits(most - 257, 5), _digits(far - 1, 5), _digits(kept - 4, 4)]
    pieces += [_digits(third[symbol], 3) for symbol in _ORDER[:kept]]
    pieces += chain.from_iterable((codes[symbol], _digits(value, bits)) for symbol, value, bits in runs)
    return "".join(reversed(pieces))


def _runs(sizes: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """Yield (symbol, extra value, extra bits) for code sizes; a run ends where miniz ends it."""
    at = 0
    while at < len(sizes):
        size, end = sizes[at], at + 1
        while end < len(sizes) and sizes[end] == size:
            end += 1
        if size:
            yield size, 0, 0
            at += 1
        while at < end:
            count = min(end - at, 6 if size else 138)
            if count < 3:
                yield from [(size, 0, 0)] * count
            elif size:
                yield 16, count - 3, 2
            elif count <= 10:
                yield 17, count - 3, 3
            else:
                yield 18, count - 11, 7
            at += count


def code_sizes(counts: Sequence[int], limit: int) -> list[int]:
    """Return the size in bits of each symbol's code, at most `limit`; 0 for a symbol that does not occur."""
    used = sorted(
        (s for s, count in enumerate(counts) if count), key=counts.__getitem__
    )  # stable, as a radix sort
    depths = _depths([counts[symbol] for symbol in used])
    per_size = [0] * (max(limit, *depths, 1) + 1)
    for depth in depths:
        per_size[depth] += 1
    _shorten(per_size, limit)
    sizes, end = [0] * len(counts), len(used)
    for size in range(1, limit + 1):
        begin = end - per_size[size]
        for symbol in used[begin:end]:
            sizes[symbol] = size
        end = begin
    return sizes


def _depths(keys: list[int]) -> list[int]:
    """Return the depths of a minimum redundancy code for ascending counts (Moffat and Katajainen, 1995)."""
    n = len(keys)
    if n < 2:
        return [1] * n
    keys[0] += keys[1]
    root, leaf = 0, 2
    for at in range(1, n - 1):
        total = 0
        for _ in range(2):
            if leaf >= n or (root < at and keys[root] < keys[leaf]):
                total += keys[root]
                keys[root] = at
                root += 1
            else:
                total += keys[leaf]
                leaf += 1
        keys[at] = total
    keys[n - 2] = 0
    for at in range(n - 3, -1, -1):
        keys[at] = keys[keys[at]] + 1
    inner = Counter(keys[: n - 1])
    found: list[int] = []
    free, depth = 1, 0
    while free > 0:
        used = inner[depth]
        found += [depth] * (free - used)
        free, depth = 2 * used, depth + 1
    return found[::-1]


def _shorten(per_size: list[int], limit: int) -> None:
    """Move codes that are too long to the limit, and pay for them with the longest shorter ones."""
    if sum(per_size) <= 1:
        return
    per_size[limit] += sum(per_size[limit + 1 :])
    total = sum(count << (limit - size) for size, count in enumerate(per_size[: limit + 1]) if size)
    for _ in range((1 << limit), total):
        per_size[limit] -= 1
        for size in range(limit - 1, 0, -1):
            if per_size[size]:
                per_size[size] -= 1
                per_size[size + 1] += 2
                break


def _codes(sizes: Sequence[int]) -> list[str]:
    """Return each symbol's code (RFC 1951, 3.2.2) as digits; the last one is the first of the stream."""
    found, code = [""] * len(sizes), 0
    for size in range(1, 16):
        code <<= 1
        for symbol, own in enumerate(sizes):
            if own == size:
                found[symbol] = f"{code:0{size}b}"[::-1]
                code += 1
    return found
