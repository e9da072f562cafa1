"""Whether parity is that of the bundle's blocks, which its own digests cannot tell (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.volumes.rowmemory import parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.core.cut import Layout
    from bundler.core.progress import Progress
    from bundler.volumes.shelf import Shelf


def false_parity(shelf: Shelf, progress: Progress) -> dict[Path, str]:
    """Return the files with a parity cell that is undamaged and recovers nothing; of each the first one.

    Every row is read once more and its parity made anew, in the memory of one row: those columns of which
    there are files, as anybody can say that there are a hundred. Rows of which a block is lost are left out.
    Never raises for what is in a file.
    """
    layouts = [one for one in shelf.layouts if one.cut.parity]
    progress.stage("make parity anew", len(layouts) * sum(map(shelf.blocks.size, range(len(shelf.blocks)))))
    found: dict[Path, str] = {}
    for layout in layouts:
        for group in range(layout.cut.groups):
            for row in range(layout.rows(group)):
                for path, column in _false_cells(shelf, layout, group, row, progress):
                    what = f"parity cell {column + 1} of row {row + 1} is not what the row's blocks make"
                    found.setdefault(path, what)
    return found


def _false_cells(
    shelf: Shelf, layout: Layout, group: int, row: int, progress: Progress
) -> Iterator[tuple[Path, int]]:
    """Yield file and parity column of each cell of the row whose own digest holds, and which is false."""
    from bundler.core.erasure import Encoder

    size, cut = layout.row_size(group, row), layout.cut
    there = [one for one in range(cut.parity) if shelf.has_parity(cut, group, row, one)]
    for columns in parts(there, size=size) if there else ():
        encoder = Encoder(parity=columns, size=size)
        for column, block in layout.row_blocks(group, row).items():
            data = shelf.read(block)
            if data is None:
                return
            encoder.add(column, data)
            if columns[0] == there[0]:
                progress.advance(len(data))
        for column, cell in zip(columns, encoder.finish(), strict=True):
            for seen in shelf.parity_files(cut, group, row, column):
                if shelf.parity(cut, group, row, column, only=seen) not in (None, cell):
                    yield seen.path, column
