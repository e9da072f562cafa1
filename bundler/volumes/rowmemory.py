"""How much parity of a row is in memory at once: no packer or reader goes beyond it (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Bytes of the parity of a row: all is in memory while it is made, and as much where all of it is needed.
# An unpack with the largest zstd window took 168 MiB with 40 lost cells of 1 MiB, 221 MiB with 80 of them,
# and 200 MiB with 10 of 4 MiB.
ROW_BYTES: Final = 32 << 20


def fits(cells: int, *, size: int) -> bool:
    """Tell whether so many cells of `size` bytes may be in memory."""
    return cells * size <= ROW_BYTES


def parts(columns: Sequence[int], *, size: int) -> Iterator[Sequence[int]]:
    """Yield parity columns of a row with cells of `size` bytes, as many at a time as may be in memory.

    At least one at a time, and one empty part of none. A row of what a packer wrote is one part, but anybody
    can cut a bundle anew.
    """
    most = max(1, ROW_BYTES // max(size, 1))
    for first in range(0, max(1, len(columns)), most):
        yield columns[first : first + most]
