"""Blocks that no file has, recovered from their rows (FORMAT.md §17 and §18)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.core.cut import Layout
    from bundler.offline.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a layout: where it is, its blocks by column, and the bytes of its parity cells."""

    layout: Layout
    group: int
    number: int
    blocks: dict[int, int]
    size: int


class Rows:
    """Recovers rows of a shelf; keeps what the last one gave: the next lost blocks are often of that row."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: dict[int, bytes] = {}
        self.recovered = 0  # blocks

    def get(self, block: int) -> bytes | None:
        """Return the block from a file or from its row, or None where neither can give it."""
        if block in self._kept:
            return self._kept[block]
        data = self._shelf.read(block)
        if data is not None:
            return data
        for layout in self._shelf.layouts:
            if layout.cut.parity and self._recover(layout, block) and block in self._kept:
                return self._kept[block]
        return None

    def _recover(self, layout: Layout, block: int) -> bool:
        """Recover the block's row and keep what was lost of it; False where that is too much."""
        place = layout.place(block)
        row = Row(
            layout=layout,
            group=place.group,
            number=place.row,
            blocks=layout.row_blocks(place.group, place.row),
            size=layout.row_size(place.group, place.row),
        )
        # Parity is read twice, to know which is right and to use it: held, it would need as much memory.
        parity = [one for one in range(layout.cut.parity) if self._parity(row, one) is not None]
        lost = sorted(
            {place.column, *(column for column, one in row.blocks.items() if not self._shelf.has(one))}
        )
        first = 0
        while first + len(lost) <= len(parity):
            more = self._solve(row, lost, parity[first : first + len(lost)])
            if more is None:
                return True
            if more:
                lost = sorted({*lost, *more})
            else:
                first += 1  # this parity was made of other blocks, or by a liar: other cells may be right
        return False

    def _solve(self, row: Row, lost: Sequence[int], parity: Sequence[int]) -> list[int] | None:
        """Recover the lost columns with this parity, and keep them: then None.

        Otherwise return the columns that turned out to be lost too, or none where the outcome is wrong.
        """
        from bundler.core.erasure import Recovery

        self._kept = {}  # its memory is needed now
        recovery = Recovery(lost=lost, parity=parity, size=row.size)
        more: list[int] = []
        for column, block in row.blocks.items():
            if column in lost:
                continue
            data = self._shelf.read(block)
            if data is None:
                more.append(column)
            elif not more:
                recovery.add_data(column, data)
        if more:
            return more
        for number in parity:
            cell = self._parity(row, number)
            if cell is None:
                return []  # it was right a moment ago: the medium is changing
            recovery.add_parity(number, cell)
        return None if self._keep(row, recovery.finish()) else []

    def _keep(self, row: Row, found: dict[int, bytes]) -> bool:
        """Keep what was recovered where all of it is what the index says."""
        blocks = self._shelf.blocks
        cells = {
            row.blocks[column]: cell[: blocks.size(row.blocks[column])] for column, cell in found.items()
        }
        if any(hashlib.sha256(cell).hexdigest() != blocks.digest(one).hex for one, cell in cells.items()):
            return False
        self._kept = cells
        self.recovered += len(cells)
        return True

    def _parity(self, row: Row, number: int) -> bytes | None:
        return self._shelf.parity(row.layout.cut, row.group, row.number, number)
