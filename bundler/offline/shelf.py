"""All files of one bundle, and each block from whichever of them has it right (FORMAT.md §17).

A block counts where its digest is the index's. What is wrong with a file is noted, and never stops a reader.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import Layout, parity_name
from bundler.core.fault import Fault
from bundler.core.volumehead import DATA, PARITY, RESEND
from bundler.offline.handles import Handles
from bundler.offline.spots import Spot, read_supplement

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.offline.survey import Seen

_CELL = re.compile(r"parity/[0-9]{4}-[0-9]{7}-[0-9]{3}-([0-9a-f]{64})")


@dataclass(slots=True)
class Harm:
    """What is wrong with a file: how many cells, and the first of them in words."""

    count: int
    first: str


class Shelf:
    """The files of one bundle. Parsed index in, authenticated blocks out; `harm` says what was wrong."""

    def __init__(self, index: Index, files: Sequence[Seen]) -> None:
        self.index, self.files, self.blocks = index, tuple(files), Blocks(index)
        self.harm: dict[Path, Harm] = {}
        self._noted: set[int] = set()
        self._handles = Handles()
        self._wholes = [one for one in files if one.head is None]
        self._members = list(
            itertools.accumulate((ustar.stored_size(one.size) for one in index.members), initial=0)
        )
        self._volumes: dict[tuple[Cut, str, int], list[Seen]] = {}
        self._layouts: dict[Cut, Layout] = {}
        self._offsets: dict[tuple[Cut, str, int], array[int]] = {}
        self._resent: dict[int, list[Spot]] = {}
        for one in files:
            if one.head is None:
                continue
            cut = one.head.cut
            if one.head.kind == RESEND:
                for block, spot in read_supplement(one, self.blocks, self._handles, note=self.note):
                    self._resent.setdefault(block, []).append(spot)
                continue
            self._layouts.setdefault(cut, Layout(index, cut))
            self._volumes.setdefault((cut, one.head.kind, one.head.number - 1), []).append(one)

    @property
    def layouts(self) -> Sequence[Layout]:
        """The layout of each cut that a volume of this bundle has, those with parity first."""
        return sorted(self._layouts.values(), key=lambda one: -one.cut.parity)

    def copies(self, cut: Cut, kind: str, number: int) -> Sequence[Seen]:
        """Return the files that are this volume, from 0; the data of a `whole` cut is the bundle itself."""
        if cut.whole and kind == DATA:
            return self._wholes
        return self._volumes.get((cut, kind, number), ())

    def has(self, block: int) -> bool:
        """Tell whether a file is long enough to hold the block; what it holds was not read."""
        return any(spot.end <= spot.seen.size for spot in self.spots(block))

    def has_parity(self, cut: Cut, volume: int, place: int) -> bool:
        """Tell whether a file is long enough for the cell with this place in that parity volume."""
        end = self._table(cut, PARITY, volume)[place + 1]
        return any(one.start + end <= one.size for one in self.copies(cut, PARITY, volume))

    def read(self, block: int) -> bytes | None:
        """Return the block's bytes from the first file that has them right, or None where none has."""
        digest = self.blocks.digest(block).hex
        for spot in self.spots(block):
            data = self.content(spot)
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
            data = self.content(spot)
            if data is not None:
                progress.advance(len(data))
                if hashlib.sha256(data).hexdigest() != digest:
                    self._note_block(spot, block)

    def spots(self, block: int) -> Iterator[Spot]:
        """Yield where the block should lie, in each of the files."""
        member, number = self.blocks.locate(block)
        size = self.blocks.size(block)
        for one in self._wholes:
            at = one.start + self._members[member] + ustar.BLOCK + number * self.index.block_size
            yield Spot(seen=one, at=at, header=b"", size=size)
        for cut, layout in self._layouts.items():
            if cut.whole:
                continue
            place = layout.place(block)
            volume = place.column * cut.groups + place.group
            if (cut, DATA, volume) in self._volumes:
                offset = self._table(cut, DATA, volume)[place.row]
                header = ustar.header(self.blocks.name(block), size)
                for one in self._volumes[cut, DATA, volume]:
                    yield Spot(seen=one, at=one.start + offset, header=header, size=size)
        yield from self._resent.get(block, ())

    def content(self, spot: Spot) -> bytes | None:
        """Return what lies in a spot, unverified; None where the file ends before. Notes a wrong header."""
        count = len(spot.header) + spot.size
        try:
            data = self._handles.read(
                spot.seen.path, spot.at, count + -count % ustar.BLOCK * bool(spot.header)
            )
        except OSError as error:
            self.note(spot.seen, f"byte {spot.at}: {error.strerror or error}")
            return None
        if len(data) < count:
            self.note(spot.seen, f"ends at byte {spot.seen.size}, expected more")
            return None
        if not spot.header:
            return data
        if data[: ustar.BLOCK] != spot.header or any(data[count:]) or len(data) % ustar.BLOCK:
            self.note(spot.seen, f"byte {spot.at}: the header or the padding of a cell is damaged")
        return data[ustar.BLOCK : count]

    def parity(self, cut: Cut, group: int, row: int, column: int) -> bytes | None:
        """Return a parity cell whose own digest holds, or None; that proves nothing of what it recovers."""
        layout = self._layouts[cut]
        volume = 0 if cut.whole else column * cut.groups + group
        place = row * cut.parity + column if cut.whole else row
        size = layout.row_size(group, row)
        for one in self.copies(cut, PARITY, volume):
            at = one.start + self._table(cut, PARITY, volume)[place]
            spot = Spot(seen=one, at=at, header=bytes(ustar.BLOCK), size=size)
            found = self._parity_cell(spot, group, row, column)
            if found is not None:
                return found
        return None

    def _parity_cell(self, spot: Spot, group: int, row: int, column: int) -> bytes | None:
        count = ustar.stored_size(spot.size)
        try:
            data = self._handles.read(spot.seen.path, spot.at, count)
            name, size = ustar.parse_header(data[: ustar.BLOCK])
        except OSError as error:
            self.note(spot.seen, f"byte {spot.at}: {error.strerror or error}")
            return None
        except Fault as fault:
            self.note(spot.seen, f"byte {spot.at}: {fault}")
            return None
        cell = data[ustar.BLOCK : ustar.BLOCK + spot.size]
        said = _CELL.fullmatch(name)
        if (
            said is None
            or name != parity_name(group, row, column, hashlib.sha256(cell).hexdigest())
            or size != spot.size
            or len(data) < count
            or any(data[ustar.BLOCK + spot.size :])
        ):
            self.note(spot.seen, f"parity cell {column + 1} of row {row + 1} at byte {spot.at} is damaged")
            return None
        return cell

    def expected_size(self, seen: Seen) -> int:
        """Return the bytes that the file should have, given where its payload or its cells begin."""
        if seen.head is None:
            return seen.start + self._members[-1] + len(ustar.END)
        if seen.head.kind == RESEND:
            ends = [
                spot.at + ustar.stored_size(spot.size)
                for spots in self._resent.values()
                for spot in spots
                if spot.seen is seen
            ]
            return max(ends, default=seen.start) + len(ustar.END)
        return (
            seen.start + self._table(seen.head.cut, seen.head.kind, seen.head.number - 1)[-1] + len(ustar.END)
        )

    def tail(self, seen: Seen) -> bytes:
        """Return what the file has after its last cell, at most a block more than belongs there."""
        end = self.expected_size(seen) - len(ustar.END)
        try:
            return self._handles.read(seen.path, end, len(ustar.END) + ustar.BLOCK)
        except OSError as error:
            self.note(seen, f"byte {end}: {error.strerror or error}")
            return b""

    def bytes_before(self, seen: Seen, count: int) -> bytes:
        """Return the bytes that stand before the file's payload or cells; fewer, or none, on an error."""
        try:
            return self._handles.read(seen.path, max(0, seen.start - count), min(count, seen.start))
        except OSError as error:
            self.note(seen, f"byte {seen.start - count}: {error.strerror or error}")
            return b""

    def _note_block(self, spot: Spot, block: int) -> None:
        self.note(spot.seen, f"{self.blocks.describe(block)} at byte {spot.at} is damaged")

    def note(self, seen: Seen, what: str) -> None:
        """Note that something is wrong with the file, once however often it is read."""
        if (key := hash((seen.path, what))) not in self._noted:
            self._noted.add(key)
            harm = self.harm.setdefault(seen.path, Harm(0, what))
            harm.count += 1

    def close(self) -> None:
        """Close the files."""
        self._handles.close()

    def _table(self, cut: Cut, kind: str, volume: int) -> array[int]:
        layout = self._layouts[cut]
        if kind == PARITY:
            volume = 0 if cut.whole else volume % cut.groups  # all of a group's are alike
        key = (cut, kind, volume)
        if key not in self._offsets:
            made = layout.parity_offsets(volume) if kind == PARITY else layout.block_offsets(volume)
            self._offsets[key] = made
        return self._offsets[key]
