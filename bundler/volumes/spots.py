"""Places in files where a block of a bundle should lie (FORMAT.md §17)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView, Sequence
    from pathlib import Path

    from bundler.core.blocks import Blocks
    from bundler.volumes.notedfiles import NotedFiles
    from bundler.volumes.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a cell should lie: its header at `at`, or b"" where only its content does; sizes in bytes."""

    seen: Seen
    at: int
    header: bytes
    size: int

    @property
    def end(self) -> int:
        """Where its content ends."""
        return self.at + len(self.header) + self.size


class Resent:
    """Blocks that supplements bring: any number of these, with hundreds of thousands of blocks in each.

    What is kept of a block are three numbers: where its header is, in which file, and the one before it here.
    """

    def __init__(self) -> None:
        self._files: list[Seen] = []
        self._last: dict[int, int] = {}
        self._rows = array("q")  # file, place, and the row of the same block before this one or -1
        self._ends: dict[Path, int] = {}

    def __bool__(self) -> bool:
        return bool(self._last)

    @property
    def blocks(self) -> KeysView[int]:
        """The blocks that are in any of the files."""
        return self._last.keys()

    def of(self, seen: Seen) -> Sequence[int]:
        """Return the blocks that one of the files has, in its order, which is ascending."""
        return [block for block in sorted(self._last) if any(one is seen for one, _ in self.places(block))]

    def add(self, seen: Seen, blocks: Blocks, files: NotedFiles) -> None:
        """Take what a supplement says that it has; what is wrong with its headers is noted."""
        self._files.append(seen)
        self._ends[seen.path] = seen.start
        for block, at in _blocks_of(seen, blocks, files):
            row = len(self._rows)
            self._rows.extend((len(self._files) - 1, at, self._last.get(block, -1)))
            self._last[block] = row
            self._ends[seen.path] = at + ustar.stored_size(blocks.size(block))

    def places(self, block: int) -> Iterator[tuple[Seen, int]]:
        """Yield each file that should have the block, and where its header begins there."""
        row = self._last.get(block, -1)
        while row >= 0:
            file, at, row = self._rows[row : row + 3]
            yield self._files[file], at

    def end(self, seen: Seen) -> int:
        """Return where the cells of a supplement end."""
        return self._ends[seen.path]


def _blocks_of(seen: Seen, blocks: Blocks, files: NotedFiles) -> Iterator[tuple[int, int]]:
    """Yield the blocks of a supplement, and where their headers are, up to the first that is none.

    What that one is, is noted.
    """
    at, last = seen.start, -1
    while at + ustar.BLOCK <= seen.size:
        header = files.read(seen, at, ustar.BLOCK)
        if header is None or header == bytes(ustar.BLOCK):
            return
        try:
            name, size = ustar.parse_header(header)
            block = blocks.parse_name(name)
        except Fault as fault:
            files.note(seen, f"byte {at}: {fault}")
            return
        if block <= last or size != blocks.size(block):
            files.note(seen, f"byte {at}: expected the next block, found {name}")
            return
        yield block, at
        at, last = at + ustar.stored_size(size), block
