"""Recover lost cells of a row from its parity cells: a Cauchy Reed-Solomon code in XORs, §18 of FORMAT.md.

A row has at most 128 data cells, in columns, and at most 100 parity cells. Any data cells that are lost are
recovered from as many parity cells. What comes out is as good as what went in: digests tell whether it is
right.

Cells are added as they are read and are not kept: memory is the size of the row for each cell that is
computed, a third more while these are handed over, and about a mebibyte. Wrong use (a cell that is given
twice or too long, one that is outside the row, a second `finish`) raises `ValueError`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bundler.core import gf256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMNS = 128  # data cells of a row
PARITY = 100  # parity cells of a row
# Part of the format: bytes of a cell that are cut into eight strips. With 1 MiB cells and 2, 4, 10 or 40
# parity cells this was the fastest of 16 KiB to 512 KiB, or within 5 % of it: below it, calls count for more.
_PIECE = 64 << 10


class Encoder:
    """The parity cells of one row, as its data cells come by."""

    def __init__(self, *, parity: Sequence[int], size: int) -> None:
        """Compute the parity cells with the numbers `parity`, as `range(m)`; `size` is that of the row."""
        self._numbers = _all_different(parity, below=PARITY, what="parity cell")
        self._sums = _Sums(len(self._numbers), size=size)
        self._free = set(range(COLUMNS))

    def add(self, column: int, cell: bytes) -> None:
        """Take a data cell, in any order; columns that never come are empty."""
        _take(column, self._free, what="column")
        self._sums.add(_coefficients(self._numbers, column), cell)

    def finish(self) -> list[bytes]:
        """Return the parity cells in the order of their numbers as given; the encoder is used up."""
        self._free.clear()
        return list(self._sums.take())


class Recovery:
    """The lost data cells of one row, as what is left of it comes by."""

    def __init__(self, *, lost: Sequence[int], parity: Sequence[int], size: int) -> None:
        """Recover the columns `lost` from as many parity cells, those with the numbers `parity`."""
        self._lost = _all_different(lost, below=COLUMNS, what="column")
        self._numbers = _all_different(parity, below=PARITY, what="parity cell")
        if len(lost) != len(parity):
            raise ValueError(f"{len(lost)} lost cells: expected as many parity cells, found {len(parity)}")
        self._sums = _Sums(len(lost), size=size)
        self._size = size
        self._free = set(range(COLUMNS)).difference(lost)
        self._awaited = set(parity)

    def add_data(self, column: int, cell: bytes) -> None:
        """Take a data cell that is not lost, in any order; columns that never come are empty."""
        _take(column, self._free, what="column")
        self._sums.add(_coefficients(self._numbers, column), cell)

    def add_parity(self, number: int, cell: bytes) -> None:
        """Take one of the parity cells, in any order."""
        if len(cell) != self._size:
            raise ValueError(f"parity cell {number}: expected {self._size} bytes, found {len(cell)}")
        _take(number, self._awaited, what="parity cell")
        self._sums.add_one(self._numbers.index(number), cell)

    def finish(self) -> dict[int, bytes]:
        """Return the lost cells by column, each padded to the size of the row; the recovery is used up."""
        if self._awaited:
            raise ValueError(f"parity cell {min(self._awaited)}: expected before the end")
        self._free.clear()
        # The sums are now those of the lost cells alone, with the coefficients that parity has for them.
        self._sums.multiply(_solution(self._lost, self._numbers))
        return dict(zip(self._lost, self._sums.take(), strict=True))


class _Sums:
    """Sums of cells that are multiplied by elements of the field: of each piece, eight integers for a sum."""

    def __init__(self, count: int, *, size: int) -> None:
        if size < 0 or size % 8:
            raise ValueError(f"size of a row: expected a multiple of 8, found {size}")
        self._count = count
        self._size = size
        self._taken = False
        self._pieces = [[0] * (8 * count) for _ in range(0, size, _PIECE)]

    def add(self, coefficients: tuple[int, ...], cell: bytes) -> None:
        """Add a cell to each sum, multiplied by that sum's coefficient."""
        if len(cell) > self._size:
            raise ValueError(f"data cell: expected at most {self._size} bytes, found {len(cell)}")
        for sums, strips in zip(self._pieces, self._cut(cell), strict=False):
            _add_products(sums, strips, coefficients)

    def add_one(self, number: int, cell: bytes) -> None:
        """Add a cell to one sum as it is."""
        for sums, strips in zip(self._pieces, self._cut(cell), strict=False):
            for at, strip in enumerate(strips, 8 * number):
                sums[at] ^= strip

    def multiply(self, columns: Sequence[tuple[int, ...]]) -> None:
        """Put the product with a square matrix in place of the sums."""
        for number, old in enumerate(self._pieces):
            new = [0] * len(old)
            for at, column in enumerate(columns):
                _add_products(new, old[8 * at : 8 * at + 8], column)
            self._pieces[number] = new

    def take(self) -> Iterator[bytes]:
        """Give the sums as cells, and give up the memory of each; this ends their use."""
        if self._taken:
            raise ValueError("finish: expected once, found a second call")
        self._taken = True
        strips = [self._strip(at) for at in range(0, self._size, _PIECE)]
        for at in range(0, 8 * self._count, 8):
            parts = []
            for sums, strip in zip(self._pieces, strips, strict=True):
                parts += [value.to_bytes(strip, "little") for value in sums[at : at + 8]]
                sums[at : at + 8] = [0] * 8
            yield b"".join(parts)

    def _cut(self, cell: bytes) -> Iterator[list[int]]:
        """Give the strips of each piece that the cell reaches.

        Where it ends within a strip, the integer is padded with zeros as the row is: late bytes are high.
        """
        view = memoryview(cell)
        for at in range(0, len(cell), _PIECE):
            strip = self._strip(at)
            yield [
                int.from_bytes(view[start : start + strip], "little")
                for start in range(at, at + 8 * strip, strip)
            ]

    def _strip(self, at: int) -> int:
        """Return the size of a strip of the piece that begins at byte `at`."""
        return min(_PIECE, self._size - at) // 8


def _add_products(sums: list[int], strips: list[int], coefficients: tuple[int, ...]) -> None:
    """Add a piece to each sum, multiplied by that sum's coefficient.

    Each strip of a product is a combination of the piece's strips: the XOR of some of them. All sums share
    these, and each is the XOR of a combination of the first four strips and one of the last four.
    """
    masks, wanted = _schedule(coefficients)
    low, high = _combinations(strips[:4]), _combinations(strips[4:])
    combined = {mask: low[mask & 15] ^ high[mask >> 4] for mask in wanted}
    for at, mask in enumerate(masks):
        sums[at] ^= combined[mask]


def _combinations(strips: list[int]) -> list[int]:
    """Return the XORs of all choices among the strips: bit k of the place says whether strip k is chosen."""
    found = [0]
    for strip in strips:
        found += [strip ^ other for other in found]
    return found


@lru_cache(maxsize=512)  # rows of a set use the same ones again: at most 128 columns, and 100 of a solution
def _schedule(coefficients: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the combinations that make the strips of all sums, in their order, and each of them once."""
    masks = tuple(mask for coefficient in coefficients for mask in gf256.masks(coefficient))
    return masks, tuple(dict.fromkeys(masks))


def _coefficients(numbers: Sequence[int], column: int) -> tuple[int, ...]:
    """Return what a data cell is multiplied by in each of the parity cells."""
    return tuple(gf256.inverse(COLUMNS + number ^ column) for number in numbers)


@lru_cache(maxsize=16)
def _solution(lost: tuple[int, ...], numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the columns of the matrix that makes the lost cells of their sums in the parity cells."""
    return gf256.cauchy_inverse([COLUMNS + number for number in numbers], lost)


def _all_different(numbers: Sequence[int], *, below: int, what: str) -> tuple[int, ...]:
    free = set(range(below))
    for number in numbers:
        _take(number, free, what=what)
    return tuple(numbers)


def _take(number: int, free: set[int], *, what: str) -> None:
    if number not in free:
        raise ValueError(
            f"{what} {number}: found twice, lost, not asked for, outside the row or after its end"
        )
    free.remove(number)
