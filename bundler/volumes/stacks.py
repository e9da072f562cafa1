"""The files of one cut of a bundle: which of them should have what, and where in them (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core.volumehead import DATA, PARITY

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from bundler.core.cut import Layout
    from bundler.volumes.survey import Seen


class Stack:
    """The volumes of one cut, any number of files for each; they count from 0, offsets from `Seen.start`."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._files: dict[str, dict[int, list[Seen]]] = {DATA: {}, PARITY: {}}
        self._tables: dict[str, dict[int, array[int]]] = {DATA: {}, PARITY: {}}

    def add(self, seen: Seen) -> None:
        """Take a file that is a volume of this cut."""
        if seen.head:
            self._files[seen.head.kind].setdefault(seen.head.number - 1, []).append(seen)

    def copies(self, kind: str, volume: int) -> Sequence[Seen]:
        """Return the files that are this volume."""
        return self._files[kind].get(volume, ())

    @property
    def has_duplicates(self) -> bool:
        """Whether two files are the same volume."""
        return any(len(files) > 1 for volumes in self._files.values() for files in volumes.values())

    def locate(self, block: int) -> tuple[Sequence[Seen], int]:
        """Return the files that should have the block, and the offset of its header in them."""
        place, cut = self.layout.place(block), self.layout.cut
        volume = place.column * cut.groups + place.group
        files = self._files[DATA].get(volume, ())
        return files, self.table(DATA, volume)[place.row] if files else 0

    def locate_parity(self, group: int, row: int, column: int) -> tuple[Sequence[Seen], int]:
        """Return the files that should have the parity cell, and the offset of its header in them."""
        cut = self.layout.cut
        volume = 0 if cut.whole else column * cut.groups + group
        files = self.copies(PARITY, volume)
        place = row * cut.parity + column if cut.whole else row
        return files, self.table(PARITY, volume)[place] if files else 0

    def table(self, kind: str, volume: int) -> array[int]:
        """Return where the header of each cell of the volume begins, and where the last one ends."""
        if kind == PARITY and not self.layout.cut.whole:
            volume %= self.layout.cut.groups  # all of a group's are alike
        if volume not in self._tables[kind]:
            make = self.layout.parity_offsets if kind == PARITY else self.layout.block_offsets
            self._tables[kind][volume] = make(volume)
        return self._tables[kind][volume]
