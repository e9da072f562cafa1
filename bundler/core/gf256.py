"""The field GF(2⁸) of the erasure code, and multiplication in it as XORs of strips; §18 of FORMAT.md."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# z⁸ + z⁴ + z³ + z² + 1. The powers of z, which is 2, are all 255 elements but zero.
_POLYNOMIAL = 0x11D


def _powers() -> list[int]:
    powers = [1]
    while len(powers) < 255:
        double = powers[-1] << 1
        powers.append(double ^ _POLYNOMIAL if double & 0x100 else double)
    return powers


_POWERS = _powers()
_LOGARITHMS = {element: exponent for exponent, element in enumerate(_POWERS)}


def times(left: int, right: int) -> int:
    """Return the product of two elements."""
    if not left or not right:
        return 0
    return _POWERS[(_LOGARITHMS[left] + _LOGARITHMS[right]) % 255]


def inverse(element: int) -> int:
    """Return what gives 1 when multiplied by `element`, which is not 0."""
    return _POWERS[-_LOGARITHMS[element] % 255]


@lru_cache(maxsize=256)
def masks(element: int) -> tuple[int, ...]:
    """Return which strips of x make each strip of `element` · x: bit k of mask i stands for strip k of x."""
    images = [times(element, 1 << k) for k in range(8)]
    return tuple(sum((image >> i & 1) << k for k, image in enumerate(images)) for i in range(8))


def cauchy_inverse(rows: Sequence[int], columns: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the columns of the inverse of the square matrix 1 / (row + column) over different elements.

    Element a of column b belongs to `columns[a]` and `rows[b]`. This is the closed form of §18: n² steps,
    where elimination takes n³.
    """
    of_rows = [
        _logarithm(row ^ column for column in columns)
        - _logarithm(row ^ other for other in rows if other != row)
        for row in rows
    ]
    of_columns = [
        _logarithm(row ^ column for row in rows)
        - _logarithm(column ^ other for other in columns if other != column)
        for column in columns
    ]
    return [
        tuple(
            _POWERS[(of_row + of_column - _LOGARITHMS[row ^ column]) % 255]
            for column, of_column in zip(columns, of_columns, strict=True)
        )
        for row, of_row in zip(rows, of_rows, strict=True)
    ]


def _logarithm(factors: Iterable[int]) -> int:
    """Return the logarithm of a product."""
    return sum(map(_LOGARITHMS.__getitem__, factors))
