"""Which cells of a volume are right: blocks by the index's digests, parity by its own (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.volumehead import PARITY
from bundler.volumes.ends import check_ends
from bundler.volumes.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundler.core.index import Index
    from bundler.volumes.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells that a file should hold: the numbers of its blocks, in its order, or else parity.

    `right` has a 1 for each that it holds, a 0 for the others. `flawless`: every byte of it is as it was
    written, as far as the index tells.
    """

    blocks: Sequence[int]
    right: bytes
    flawless: bool

    @property
    def complete(self) -> bool:
        """Whether all cells are right, whatever stands around them."""
        return all(self.right)

    def within(self, others: Sequence[Cells]) -> bool:
        """Tell whether each cell that is right here is right in one of the others, of the same volume."""
        return all(
            not mine or any(one.right[place] for one in others) for place, mine in enumerate(self.right)
        )


def expected_size(index: Index, seen: Seen) -> int:
    """Return the bytes that the file should have."""
    with contextlib.closing(Shelf(index, [seen])) as shelf:
        return shelf.expected_size(seen)


def trusted_cells(index: Index, seen: Seen) -> Cells:
    """Return the cells of a file that was read before, unread: all of them are right."""
    with contextlib.closing(Shelf(index, [seen])) as shelf:
        blocks = shelf.blocks_in(seen)
        count = len(blocks)
        if seen.head and seen.head.kind == PARITY:
            (layout,) = shelf.layouts
            count = sum(1 for _ in layout.parity_cells(seen.head.number - 1))
    return Cells(blocks=blocks, right=b"\1" * count, flawless=True)


def read_cells(index: Index, seen: Seen) -> Cells:
    """Read a file once and tell which of its cells are right. What cannot be read is not right."""
    with contextlib.closing(Shelf(index, [seen])) as shelf:
        blocks = shelf.blocks_in(seen)
        parity = seen.head is not None and seen.head.kind == PARITY
        right = bytes(_parity(shelf, seen) if parity else (shelf.read(one) is not None for one in blocks))
        check_ends(shelf, seen, front=seen.front or "")
        flawless = all(right) and seen.size == shelf.expected_size(seen) and not shelf.harm
    return Cells(blocks=blocks, right=right, flawless=flawless)


def _parity(shelf: Shelf, seen: Seen) -> Iterator[bool]:
    (layout,) = shelf.layouts
    number = seen.head.number - 1 if seen.head else 0
    for group, row, column in layout.parity_cells(number):
        yield shelf.parity(layout.cut, group, row, column) is not None
