"""What some volumes of a bundle make: which blocks are there, and which ones parity cannot give."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.blocks import Blocks
from bundler.core.cut import Layout
from bundler.core.text import counted
from bundler.core.volumehead import DATA, PARITY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bundler.arriving.cells import Cells
    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.volumes.survey import Seen

    Slot = tuple[Cut | None, str, int]

_ALL = b"\1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file, which of its cells are right, and whether its signatures hold, which blocks do not tell."""

    seen: Seen
    cells: Cells
    signed: bool = True

    @property
    def is_right(self) -> bool:
        """Whether no copy of it can be better."""
        return is_right(self.seen, self.cells)

    @property
    def slot(self) -> Slot:
        """Which volume it is: files with the same slot hold the same cells."""
        return slot_of(self.seen)


def is_right(seen: Seen, cells: Cells) -> bool:
    """Tell whether all cells are right; of a bundle in one file, which may be read alone, every byte."""
    return cells.complete if seen.head else cells.flawless


def slot_of(seen: Seen) -> Slot:
    """Return which volume a file is; the cut of a bundle in one file is None."""
    head = seen.head
    return (head.cut, head.kind, head.number) if head else (None, DATA, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Volumes of one kind: how many there must be, and which of them are not here, or not right."""

    total: int = 0
    missing: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()

    @property
    def present(self) -> int:
        """How many are here, and right."""
        return self.total - len(self.missing) - len(self.damaged)


NOTHING = Count()


def lost_blocks(index: Index, files: Sequence[Kept]) -> list[int]:
    """Return the blocks that no file has right, by their numbers."""
    have = bytearray(len(Blocks(index)))
    for one in files:
        blocks, right = one.cells.blocks, one.cells.right
        if isinstance(blocks, range) and blocks and one.cells.complete:
            have[blocks.start : blocks[-1] + 1 : blocks.step] = _ALL * len(blocks)
        else:
            for place, block in enumerate(blocks):
                have[block] |= right[place]
    return [block for block, there in enumerate(have) if not there]


def beyond_parity(index: Index, files: Sequence[Kept], lost: list[int]) -> list[int]:
    """Return which of the lost blocks have to be sent again, so that parity gives the others.

    Of one cut they are the fewest. Where several have parity, one after the other gives what it can; what
    would then be lost, because two count on each other, is asked for as well.
    """
    rows = [(one, _parity(one, files)) for one in layouts(index, files) if one.cut.parity and lost]
    asked = lost
    for layout, parity in rows:
        asked = _beyond(layout, parity, asked)
    left, before = set(lost).difference(asked), -1
    while len(left) != before:
        before = len(left)
        for layout, parity in rows:
            for at, blocks in layout.by_row(left).items():
                if len(blocks) <= len(parity[at]):
                    left.difference_update(blocks)
    return sorted({*asked, *_beyond(*rows[0], sorted(left))}) if left else asked


def _parity(layout: Layout, files: Sequence[Kept]) -> dict[tuple[int, int], set[int]]:
    """Return the parity columns that are right, by group and row."""
    parity: dict[tuple[int, int], set[int]] = defaultdict(set)
    for one in files:
        head = one.seen.head
        if head and head.kind == PARITY and head.cut == layout.cut:
            for place, (group, row, column) in enumerate(layout.parity_cells(head.number - 1)):
                if one.cells.right[place]:
                    parity[group, row].add(column)
    return parity


def _beyond(layout: Layout, parity: Mapping[tuple[int, int], Collection[int]], lost: list[int]) -> list[int]:
    """Return what each row lacks beyond its parity; `parity` is that of its rows, as `_parity` gives it."""
    asked: list[int] = []
    for at, blocks in layout.by_row(lost).items():
        # The first columns of each row: these are blocks of the same volumes, which can be asked for whole.
        asked += blocks[: max(0, len(blocks) - len(parity[at]))]
    return sorted(asked)


def has_a_set(files: Sequence[Kept]) -> bool:
    """Tell whether all volumes of one cut are here, and right: then nothing has to be put together."""
    right: dict[Cut | None, set[int]] = defaultdict(set)
    for one in files:
        cut, kind, number = one.slot
        if kind == DATA and one.seen.intact and one.is_right:
            right[cut].add(number)
    return any(len(numbers) == (cut.volumes if cut else 1) for cut, numbers in right.items())


def layouts(index: Index, files: Sequence[Kept]) -> list[Layout]:
    """Return the layout of each cut that a file has, the one of which most blocks are right first."""
    return [Layout(index, cut) for cut in blocks_by_cut(files)]


def blocks_by_cut(files: Sequence[Kept]) -> dict[Cut, int]:
    """Return how many blocks are right in the files of each cut, the most first, then that of most files.

    Parity counts for nothing: anybody can make some that looks right.
    """
    blocks: Counter[Cut] = Counter()
    many: Counter[Cut] = Counter()
    for one in files:
        if one.seen.head:
            blocks[one.seen.head.cut] += sum(one.cells.right) if one.seen.head.kind != PARITY else 0
            many[one.seen.head.cut] += 1
    return {cut: blocks[cut] for cut in sorted(many, key=lambda cut: (-blocks[cut], -many[cut]))}


def count(files: Sequence[Kept]) -> tuple[Count, Count]:
    """Count data and parity volumes, of the cut of which most is here."""
    cuts = list(blocks_by_cut(files))
    if not cuts:
        return _count(files, None, DATA, 1 if files else 0), NOTHING
    cut = cuts[0]
    data = None if cut.whole else cut
    return _count(files, data, DATA, cut.data_volumes), _count(files, cut, PARITY, cut.parity_volumes)


def _count(files: Sequence[Kept], cut: Cut | None, kind: str, total: int) -> Count:
    there: dict[int, bool] = {}
    for one in files:
        if one.slot[:2] == (cut, kind):
            number = one.slot[2]
            there[number] = there.get(number, False) or one.is_right
    return Count(
        total=total,
        missing=tuple(one for one in range(1, total + 1) if one not in there),
        damaged=tuple(sorted(one for one, right in there.items() if not right)),
    )


def say_present(data: Count, parity: Count) -> str:
    """Say how many are here: `38 of 40 volumes, 4 of 4 parity volumes`."""
    said = f"{data.present} of {counted(data.total, 'volume')}"
    return said + (f", {parity.present} of {counted(parity.total, 'parity volume')}" if parity.total else "")
