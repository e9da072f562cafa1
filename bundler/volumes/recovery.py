"""Blocks that no file has, recovered from their rows (FORMAT.md §17 and §18)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.volumes.choices import ParityCell, choices
from bundler.volumes.rowmemory import fits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.core.cut import Cut, Layout
    from bundler.volumes.shelf import Shelf
    from bundler.volumes.survey import Seen

_COPIES = 8  # different cells that may be tried for one parity column of a row
_READ = 100  # files that are read for one of them


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
        self._faith: Counter[Path] = Counter()  # files whose parity was right, or wrong
        self._gave: Counter[Cut] = Counter()  # rows that were recovered
        self._recovered: set[int] = set()  # a row that is recovered twice brings no more blocks

    @property
    def recovered(self) -> int:
        """How many blocks no file had, and a row gave."""
        return len(self._recovered)

    def get(self, block: int) -> bytes | None:
        """Return the block from a file or from its row, or None where neither can give it."""
        if block in self._kept:
            return self._kept[block]
        data = self._shelf.read(block)
        if data is not None:
            return data
        layouts = [one for one in self._shelf.layouts if one.cut.parity]
        for layout in sorted(
            layouts, key=lambda one: -self._gave[one.cut]
        ):  # not each row by all liars first
            if self._recover(layout, block) and block in self._kept:
                self._gave[layout.cut] += 1
                return self._kept[block]
        return None

    def _recover(self, layout: Layout, block: int) -> bool:
        """Recover the block's row and keep what was lost of it; False where that is too much.

        Too much is also what takes more memory than packers let a row take: anybody can cut a bundle anew.
        """
        place = layout.place(block)
        row = Row(
            layout=layout,
            group=place.group,
            number=place.row,
            blocks=layout.row_blocks(place.group, place.row),
            size=layout.row_size(place.group, place.row),
        )
        lost = sorted(
            {place.column, *(column for column, one in row.blocks.items() if not self._shelf.has(one))}
        )
        for copies in (1, _COPIES):
            cells = self._cells(row, copies=copies)
            while len({one.column for one in cells}) >= len(lost) and fits(len(lost), size=row.size):
                more = self._try(row, lost, cells)
                if more is None:
                    return True
                if not more:
                    break
                lost = sorted({*lost, *more})
        return False

    def _cells(self, row: Row, *, copies: int) -> list[ParityCell]:
        """Return the row's parity cells whose own digests hold, at most so many different ones for a column.

        The first ones of all columns come before the second ones; those of files that were right before come
        first. They are read once more when they are used: held, they would need much memory.
        """
        cut, found = row.layout.cut, []
        for column in range(cut.parity):
            known: dict[bytes, ParityCell] = {}
            files = self._shelf.parity_files(cut, row.group, row.number, column)
            for one in sorted(files, key=self._distrust)[:_READ]:
                cell = self._shelf.parity(cut, row.group, row.number, column, only=one)
                if cell is not None:
                    known.setdefault(hashlib.sha256(cell).digest(), ParityCell(column=column, seen=one))
                if len(known) == copies:
                    break
            found += [(rank, one) for rank, one in enumerate(known.values())]
        return [one for _, one in sorted(found, key=lambda each: (each[0], self._distrust(each[1].seen)))]

    def _distrust(self, seen: Seen) -> int:
        return -self._faith[seen.path]

    def _try(self, row: Row, lost: Sequence[int], cells: Sequence[ParityCell]) -> list[int] | None:
        """Recover the lost columns with some of the cells: then None, else what turned out to be lost too."""
        for chosen in choices(cells, len(lost)):
            more = self._solve(row, lost, chosen)
            if more:
                return more
            if more is None:
                self._faith.update({one.seen.path: 1 for one in chosen})
                return None
            if len(chosen) == 1:  # made of other blocks, or by a liar
                self._faith[chosen[0].seen.path] -= 1
        return []

    def _solve(self, row: Row, lost: Sequence[int], chosen: Sequence[ParityCell]) -> list[int] | None:
        """Recover the lost columns with these cells, and keep them: then None.

        Otherwise return the columns that turned out to be lost too, or none where the outcome is wrong.
        """
        from bundler.core.erasure import Recovery

        self._kept = {}  # its memory is needed now
        recovery = Recovery(lost=lost, parity=[one.column for one in chosen], size=row.size)
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
        for one in chosen:
            cut = row.layout.cut
            cell = self._shelf.parity(cut, row.group, row.number, one.column, only=one.seen)
            if cell is None:
                return []  # it was right a moment ago: the medium is changing
            recovery.add_parity(one.column, cell)
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
        self._recovered.update(cells)
        return True
