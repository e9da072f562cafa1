"""Good copies of what is missing or damaged in a set, byte for byte as they were written (FORMAT.md §17).

The set is read once, row by row, for any number of its volumes: one row is in memory, and only the volumes of
one group are open.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.durable import host_faults, real_path
from bundler.core.volumehead import DATA, PARITY, Head
from bundler.errors import DamagedFault, UsageFault
from bundler.volumes.fileset import FileSet, NewFile, whole_files
from bundler.volumes.recovery import Rows
from bundler.volumes.rowmemory import parts
from bundler.volumes.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Layout
    from bundler.core.progress import Progress
    from bundler.volumes.inventory import Inventory
    from bundler.volumes.source import Source

    Wanting = Sequence[tuple[Head | None, str]]  # what a file is, None for the bundle itself, and its name


def check_folder(folder: Path) -> None:
    """Raise `UsageFault` where a file has that name, so that it is told before anything is read."""
    with host_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise UsageFault(
                f"{folder}: is a file, expected a folder for good copies", hint="name a folder with --to"
            )


def check_target(folder: Path, wanting: Wanting, inventory: Inventory) -> None:
    """Raise `UsageFault` where good copies would lie on the medium itself, or replace a file."""
    for one in inventory.files:
        if real_path(folder) == real_path(one.path.parent):
            raise UsageFault(
                f"{folder}: holds files of the bundle itself, expected a folder elsewhere",
                hint="name another folder with --to: nothing is written to the medium",
            )
    there = [name for _, name in wanting if (folder / name).exists()]
    if there:
        raise UsageFault(
            f"{folder / there[0]}: is there already, expected a folder without it",
            hint="name another folder with --to: what is damaged stays as it is",
        )


def write_good(
    folder: Path, *, wanting: Wanting, inventory: Inventory, source: Source, progress: Progress
) -> list[Path]:
    """Write these files into `folder`, all of them or none; return their paths.

    Every block in them is the index's. Raises `HostFault`, and `DamagedFault` where one is recovered no more.
    """
    layout = inventory.main
    with contextlib.closing(Shelf(inventory.index, inventory.files)) as shelf, whole_files(folder) as files:
        work = _Work(
            source=source, layout=layout, rows=Rows(shelf), files=files, name=str(folder), progress=progress
        )
        progress.stage("repair", sum(_size(layout, head) for head, _ in wanting))
        made = dict.fromkeys(name for _, name in wanting)
        for head, name in wanting:
            if head is None:
                work.bundle(name)
        for group in range(layout.cut.groups):
            work.group(
                group,
                [
                    (head, name)
                    for head, name in wanting
                    if head and (head.number - 1) % layout.cut.groups == group
                ],
            )
        return [folder / name for name in made]


def _size(layout: Layout, head: Head | None) -> int:
    """Return the bytes of the cells in a file."""
    if head and head.kind == PARITY:
        return sum(layout.row_size(group, row) for group, row, _ in layout.parity_cells(head.number - 1))
    blocks = layout.volume_blocks(head.number - 1) if head else range(len(layout.blocks))
    return sum(map(layout.blocks.size, blocks))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Files of one set that are being written."""

    source: Source
    layout: Layout
    rows: Rows
    files: FileSet
    name: str
    progress: Progress

    def bundle(self, name: str) -> None:
        """Write the bundle in one file."""
        made = self.files.create(name)
        for data in self.source.container(self._watched(range(len(self.layout.blocks)))):
            made.write(data)
        made.finish()

    def group(self, group: int, wanting: Sequence[tuple[Head, str]]) -> None:
        """Write the volumes of one group, row after row."""
        data: dict[int, NewFile] = {}
        parity: dict[int, NewFile] = {}
        for head, name in wanting:
            made = self.files.create(name)
            made.write(self.source.opening(head))
            column = (head.number - 1) // self.layout.cut.groups
            if head.kind == DATA:
                data[column] = made
            elif self.layout.cut.whole:  # one file has all columns
                parity.update(dict.fromkeys(range(self.layout.cut.parity), made))
            else:
                parity[column] = made
        if wanting:
            for row in range(self.layout.rows(group)):
                self._row(group, row, data, parity)
        for made in dict.fromkeys((*data.values(), *parity.values())):
            made.write(ustar.END)
            made.finish()

    def _row(self, group: int, row: int, data: dict[int, NewFile], parity: dict[int, NewFile]) -> None:
        from bundler.core.erasure import Encoder

        size = self.layout.row_size(group, row)
        for part, some in enumerate(parts(sorted(parity), size=size)):
            encoder = Encoder(parity=some, size=size) if some else None
            for column, number in self.layout.row_blocks(group, row).items():
                wanted = column in data and not part
                if encoder or wanted:
                    block = self._block(number)
                    if encoder:
                        encoder.add(column, block)
                    if wanted:
                        data[column].add(self.layout.blocks.name(number), block)
                        self.progress.advance(len(block))
            for column, cell in zip(some, encoder.finish() if encoder else (), strict=True):
                parity[column].add_cell(group, row, column, cell)
                self.progress.advance(len(cell))

    def _watched(self, blocks: range) -> Iterator[bytes]:
        for number in blocks:
            block = self._block(number)
            yield block
            self.progress.advance(len(block))

    def _block(self, number: int) -> bytes:
        block = self.rows.get(number)
        if block is None:
            raise DamagedFault(
                f"{self.layout.blocks.describe(number)} was not recovered, although enough of its row "
                "looked right",
                hint="the medium gives other bytes each time, or the parity is not this bundle's: "
                "copy it once more, or ask for it with `uv-bundler missing`",
            )
        return block
