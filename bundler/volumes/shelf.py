"""All files of one bundle, and each block from whichever of them has it right (FORMAT.md §17).

A block counts where its digest is the index's. What is wrong with a file is noted, and never stops a reader.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import Layout, parity_name
from bundler.core.volumehead import DATA, PARITY, RESEND
from bundler.volumes.notedfiles import NotedFiles
from bundler.volumes.spots import Resent, Spot
from bundler.volumes.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.volumes.notedfiles import Harm
    from bundler.volumes.survey import Seen


class Shelf:
    """The files of one bundle. Parsed index in, authenticated blocks out; `harm` says what was wrong."""

    def __init__(self, index: Index, files: Sequence[Seen]) -> None:
        self.index, self.files, self.blocks = index, tuple(files), Blocks(index)
        self._bytes = NotedFiles()
        self._wholes = [one for one in files if one.head is None]
        self._members = list(
            itertools.accumulate((ustar.stored_size(one.size) for one in index.members), initial=0)
        )
        self._stacks: dict[Cut, Stack] = {}
        self._striped: list[Stack] = []  # those whose volumes hold blocks
        self.resent = Resent()
        for one in files:
            if one.head is None:
                continue
            if one.head.kind == RESEND:
                self.resent.add(one, self.blocks, self._bytes)
            else:
                self._stack(one.head.cut).add(one)

    def _stack(self, cut: Cut) -> Stack:
        if cut not in self._stacks:
            self._stacks[cut] = stack = Stack(Layout(self.index, cut))
            if not cut.whole:
                self._striped.append(stack)
        return self._stacks[cut]

    @property
    def harm(self) -> dict[Path, Harm]:
        """What was wrong with the files so far, by their paths."""
        return self._bytes.harm

    @property
    def layouts(self) -> Sequence[Layout]:
        """The layout of each cut that a volume of this bundle has, those with parity first."""
        return sorted((one.layout for one in self._stacks.values()), key=lambda one: -one.cut.parity)

    @property
    def is_complete(self) -> bool:
        """Whether there is a file of full length for the whole bundle, or for each data volume of a cut."""
        if any(one.size >= self.expected_size(one) for one in self._wholes):
            return True
        return any(
            all(
                any(one.size >= self.expected_size(one) for one in stack.copies(DATA, volume))
                for volume in range(stack.layout.cut.volumes)
            )
            for stack in self._striped
        )

    @property
    def has_copies(self) -> bool:
        """Whether some block should be in two files."""
        ways = len(self._wholes) + len(self._striped) + bool(self.resent)
        return ways > 1 or any(one.has_duplicates for one in self._stacks.values())

    def copies(self, cut: Cut, kind: str, number: int) -> Sequence[Seen]:
        """Return the files that are this volume, from 0; the data of a `whole` cut is the bundle itself."""
        if cut.whole and kind == DATA:
            return self._wholes
        return self._stacks[cut].copies(kind, number) if cut in self._stacks else ()

    def has(self, block: int) -> bool:
        """Tell whether a file is long enough to hold the block; what it holds was not read."""
        size = self.blocks.size(block)
        return any(at + ustar.BLOCK + size <= one.size for one, at in self._places(block))

    def has_parity(self, cut: Cut, group: int, row: int, column: int) -> bool:
        """Tell whether a file is long enough for that parity cell."""
        stack = self._stacks.get(cut)
        if stack is None:  # a supplement may be the only file that says how the bundle is cut
            return False
        files, at = stack.locate_parity(group, row, column)
        end = at + ustar.BLOCK + stack.layout.row_size(group, row) if files else 0
        return any(one.start + end <= one.size for one in files)

    def read(self, block: int) -> bytes | None:
        """Return the block's bytes from the first file that has them right, or None where none has."""
        digest = self.blocks.digest(block).hex
        for spot in self.spots(block):
            data = self._bytes.content(spot)
            if data is None:
                continue
            if hashlib.sha256(data).hexdigest() == digest:
                return data
            self._note_block(spot, block)
        return None

    def read_copies(self, block: int, progress: Progress) -> None:
        """Read the block from all files but the first that should have it, and note where it is wrong."""
        digest = self.blocks.digest(block).hex
        for spot in itertools.islice(self.spots(block), 1, None):
            data = self._bytes.content(spot)
            if data is not None:
                progress.advance(len(data))
                if hashlib.sha256(data).hexdigest() != digest:
                    self._note_block(spot, block)

    def spots(self, block: int) -> Iterator[Spot]:
        """Yield where the block should lie, in each of the files."""
        size, header = self.blocks.size(block), self.blocks.header(block)
        for one, at in self._places(block):
            if one.head is None:
                yield Spot(seen=one, at=at + ustar.BLOCK, header=b"", size=size)
            else:
                yield Spot(seen=one, at=at, header=header, size=size)

    def _places(self, block: int) -> Iterator[tuple[Seen, int]]:
        """Yield each file that should have the block, and where the 512 bytes before it begin there."""
        if self._wholes:
            member, number = self.blocks.locate(block)
            for one in self._wholes:
                yield one, one.start + self._members[member] + number * self.index.block_size
        for stack in self._striped:
            files, offset = stack.locate(block)
            for one in files:
                yield one, one.start + offset
        if self.resent:
            yield from self.resent.places(block)

    def parity_files(self, cut: Cut, group: int, row: int, column: int) -> Sequence[Seen]:
        """Return the files that should have the parity cell."""
        return self._stacks[cut].locate_parity(group, row, column)[0]

    def parity(
        self, cut: Cut, group: int, row: int, column: int, *, only: Seen | None = None
    ) -> bytes | None:
        """Return a parity cell whose own digest holds, of any file or of `only` one, or None.

        That proves nothing of what it recovers.
        """
        stack = self._stacks[cut]
        size = stack.layout.row_size(group, row)
        files, offset = stack.locate_parity(group, row, column)
        for one in (only,) if only else files:
            spot = Spot(seen=one, at=one.start + offset, header=bytes(ustar.BLOCK), size=size)
            found = self._parity_cell(spot, group, row, column)
            if found is not None:
                return found
        return None

    def _parity_cell(self, spot: Spot, group: int, row: int, column: int) -> bytes | None:
        data = self._bytes.member(spot)
        if data is None:
            return None
        cell = data[ustar.BLOCK : ustar.BLOCK + spot.size]
        name = parity_name(group, row, column, hashlib.sha256(cell).hexdigest())
        if data == ustar.member(name, cell):
            return cell
        self.note(spot.seen, f"parity cell {column + 1} of row {row + 1} at byte {spot.at} is damaged")
        return None

    def blocks_in(self, seen: Seen) -> Sequence[int]:
        """Return the numbers of the blocks that the file should hold, in its order; none for parity."""
        if seen.head is None:
            return range(len(self.blocks))
        if seen.head.kind == RESEND:
            return self.resent.of(seen)
        if seen.head.kind == PARITY:
            return ()
        return self._stacks[seen.head.cut].layout.volume_blocks(seen.head.number - 1)

    def expected_size(self, seen: Seen) -> int:
        """Return the bytes that the file should have, given where its payload or its cells begin."""
        if seen.head is None:
            return seen.start + self._members[-1] + len(ustar.END)
        if seen.head.kind == RESEND:
            return self.resent.end(seen) + len(ustar.END)
        table = self._stacks[seen.head.cut].table(seen.head.kind, seen.head.number - 1)
        return seen.start + table[-1] + len(ustar.END)

    def tail(self, seen: Seen) -> bytes:
        """Return what the file has after its last cell, at most a block more than belongs there."""
        end = self.expected_size(seen) - len(ustar.END)
        return self.bytes_at(seen, end, len(ustar.END) + ustar.BLOCK)

    def bytes_before(self, seen: Seen, count: int) -> bytes:
        """Return the bytes that stand before the file's payload or cells; fewer, or none, on an error."""
        return self.bytes_at(seen, max(0, seen.start - count), min(count, seen.start))

    def bytes_at(self, seen: Seen, at: int, count: int) -> bytes:
        """Return bytes of the file as they are; fewer where it ends, none on an error, which is noted."""
        return self._bytes.read(seen, at, count) or b""

    def _note_block(self, spot: Spot, block: int) -> None:
        self.note(spot.seen, f"{self.blocks.describe(block)} at byte {spot.at} is damaged")

    def note(self, seen: Seen, what: str) -> None:
        """Note that something is wrong with the file, once however often it is read."""
        self._bytes.note(seen, what)

    def close(self) -> None:
        """Close the files."""
        self._bytes.close()
