"""How the blocks of a bundle are spread over volumes and rows (FORMAT.md §17, "Numbers")."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.blocks import Blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundler.core.index import Index

MAX_VOLUMES = 9999
MAX_COLUMNS = 128  # of one group: what the erasure code has coefficients for
MAX_PARITY = 100  # cells of a row; they are in memory while a row is made
_STRIPS = 8  # the erasure code cuts a cell into as many strips of one size


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a bundle is cut: data volumes, parity columns for each group, groups; `whole` is one file.

    Raises `ValueError` for numbers that no set has.
    """

    volumes: int
    parity: int = 0
    groups: int = 1
    whole: bool = False

    def __post_init__(self) -> None:
        widest = -(-self.volumes // self.groups) if self.groups > 0 else self.volumes
        if not (
            1 <= self.volumes <= MAX_VOLUMES
            and 0 <= self.parity <= MAX_PARITY
            and 1 <= self.groups <= self.volumes
            and (widest <= MAX_COLUMNS or not self.parity)
            and self.parity * self.groups <= MAX_VOLUMES
            and not (self.whole and (self.groups != 1 or not 0 < self.parity <= self.volumes))
        ):
            raise ValueError(f"no such cut: {self}")

    @property
    def parity_volumes(self) -> int:
        """How many files hold parity."""
        return 1 if self.whole else self.parity * self.groups

    @property
    def data_volumes(self) -> int:
        """How many files hold blocks: those that are volumes, or the one of the bundle."""
        return 1 if self.whole else self.volumes

    def columns(self, group: int) -> int:
        """Return how many columns a group has."""
        return len(range(group, self.volumes, self.groups))

    def columns_before(self, group: int) -> int:
        """Return how many columns the groups before this one have."""
        each, more = divmod(self.volumes, self.groups)
        return group * each + min(group, more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a block is: its group, its row and its column, each from 0."""

    group: int
    row: int
    column: int


class Layout:
    """Where each block and each parity cell of a set lies; all of it follows from the index and the cut."""

    def __init__(self, index: Index, cut: Cut) -> None:
        self.blocks, self.cut = Blocks(index), cut
        self._sized = (-1, -1), 0
        count = len(self.blocks)
        self._firsts = [count * cut.columns_before(group) // cut.volumes for group in range(cut.groups)] + [
            count
        ]

    def rows(self, group: int) -> int:
        """Return how many rows a group has."""
        return -(-(self._firsts[group + 1] - self._firsts[group]) // self.cut.columns(group))

    def place(self, block: int) -> Place:
        """Return where the block is."""
        group = self._group_of(block)
        inside = block - self._firsts[group]
        if self.cut.whole:
            column, row = divmod(inside, self.rows(group))
        else:
            row, column = divmod(inside, self.cut.columns(group))
        return Place(group=group, row=row, column=column)

    def by_row(self, blocks: Iterable[int]) -> dict[tuple[int, int], list[int]]:
        """Return the blocks by the group and the row that they are in, in the order in which they come."""
        rows: dict[tuple[int, int], list[int]] = {}
        for block in blocks:
            place = self.place(block)
            rows.setdefault((place.group, place.row), []).append(block)
        return rows

    def block(self, group: int, row: int, column: int) -> int | None:
        """Return the block in that place, or None where the row has none."""
        width, height = self.cut.columns(group), self.rows(group)
        inside = column * height + row if self.cut.whole else row * width + column
        found = self._firsts[group] + inside
        return found if found < self._firsts[group + 1] else None

    def row_blocks(self, group: int, row: int) -> dict[int, int]:
        """Return the blocks of a row, by column."""
        places = ((column, self.block(group, row, column)) for column in range(self.cut.columns(group)))
        return {column: block for column, block in places if block is not None}

    def row_size(self, group: int, row: int) -> int:
        """Return the bytes of each parity cell of a row."""
        if self._sized[0] != (group, row):  # it is asked for each cell of a row after the other
            longest = max(map(self.blocks.size, self.row_blocks(group, row).values()), default=0)
            self._sized = (group, row), row_size(longest)
        return self._sized[1]

    def data_volume(self, block: int) -> int:
        """Return the data volume, from 0, that holds the block."""
        place = self.place(block)
        return 0 if self.cut.whole else place.column * self.cut.groups + place.group

    def volume_blocks(self, volume: int) -> range:
        """Return the blocks of a data volume, in its order."""
        if self.cut.whole:
            return range(len(self.blocks))
        column, group = divmod(volume, self.cut.groups)
        return range(self._firsts[group] + column, self._firsts[group + 1], self.cut.columns(group))

    def parity_cells(self, volume: int) -> Iterator[tuple[int, int, int]]:
        """Yield group, row and parity column of each cell of a parity volume, in its order."""
        if self.cut.whole:
            for row in range(self.rows(0)):
                for column in range(self.cut.parity):
                    yield 0, row, column
        else:
            column, group = divmod(volume, self.cut.groups)
            for row in range(self.rows(group)):
                yield group, row, column

    def block_offsets(self, volume: int) -> array[int]:
        """Return where the header of each block of a data volume begins, after `VOLUME`; and the end."""
        return _offsets(map(self.blocks.size, self.volume_blocks(volume)))

    def parity_offsets(self, volume: int) -> array[int]:
        """Return where the header of each cell of a parity volume begins, after `VOLUME`; and the end."""
        return _offsets(self.row_size(group, row) for group, row, _ in self.parity_cells(volume))

    def _group_of(self, block: int) -> int:
        return bisect_right(self._firsts, block, hi=self.cut.groups) - 1


def row_size(longest: int) -> int:
    """Return the size in bytes of a row, and of its parity cells, whose longest data cell has `longest`."""
    return -(-longest // _STRIPS) * _STRIPS


def parity_name(group: int, row: int, column: int, sha256: str) -> str:
    """Return the name of a parity cell in its volume."""
    return f"parity/{group:04d}-{row:07d}-{column:03d}-{sha256}"


def _offsets(sizes: Iterator[int] | map[int]) -> array[int]:
    at, found = 0, array("q", [0])
    for size in sizes:
        at += ustar.stored_size(size)
        found.append(at)
    return found
