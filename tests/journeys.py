"""Journeys of a set's files, and whether parity stands them, computed from the text of FORMAT.md §17.

The code that reads sets has no part in that.
"""

import functools
import re
from dataclasses import dataclass

from hypothesis import strategies as st
from losing import bundle, files_of, put
from volumes import BLOCK

from bundler.core import ustar
from bundler.core.cut import Cut

CUTS = (
    Cut(volumes=5, parity=2),
    Cut(volumes=3),
    Cut(volumes=7, parity=1, groups=3),
    Cut(volumes=9, parity=3, groups=2),
    Cut(volumes=1, parity=1),
    Cut(volumes=6, parity=2, whole=True),
)
_CELL = re.compile(r"blocks/(\d{5})-(\d{7})|parity/(\d{4})-(\d{7})-(\d{3})-[0-9a-f]{64}")


@dataclass(frozen=True)
class Cell:
    """A cell in a file: the stretch in which no byte may change, and `row`, `column`; parity columns are negative."""

    begin: int
    end: int
    row: tuple
    column: int


def members(data):
    """Yield name, place of the header and size of each member."""
    at = 0
    while data[at]:
        name, size = ustar.parse_header(data[at : at + 512])
        yield name, at, size
        at += ustar.stored_size(size)


@functools.cache
def block_numbers():
    """Return the number of each block by its member and its place there, as §17 counts them."""
    counts = [-(-size // BLOCK) for name, _, size in members(bundle()) if not name.startswith("bundle.json")]
    pairs = [(member, number) for member, count in enumerate(counts) for number in range(count)]
    return {pair: place for place, pair in enumerate(pairs)}


@functools.cache
def places(cut):
    """Return row and column of each block, as §17 has it."""
    count, found = len(block_numbers()), {}
    columns = [len([v for v in range(cut.volumes) if v % cut.groups == g]) for g in range(cut.groups)]
    for group, wide in enumerate(columns):
        first = count * sum(columns[:group]) // cut.volumes
        last = count * sum(columns[: group + 1]) // cut.volumes
        rows = -(-(last - first) // wide)
        for i in range(last - first):
            row, column = (i % rows, i // rows) if cut.whole else divmod(i, wide)
            found[first + i] = ((group, row), column)
    return found


@functools.cache
def cells(cut, name):
    """Return where the front ends, and the cells of a file as it was written."""
    data, found, front = files_of(cut)[name], [], 0
    whole = cut.whole and "parity" not in name
    payload = -1
    for path, at, size in members(data):
        if path.startswith("bundle.json") or path == "VOLUME":
            front = at + ustar.stored_size(size)
        elif whole:
            payload += 1
            for number in range(-(-size // BLOCK)):
                begin_at = at + 512 + number * BLOCK
                end = min(begin_at + BLOCK, at + 512 + size)
                found.append(Cell(begin_at, end, *places(cut)[block_numbers()[payload, number]]))
        else:
            said = list(map(int, filter(None, _CELL.fullmatch(path).groups())))
            if path.startswith("blocks/"):
                block = block_numbers()[said[0], said[1]]
                found.append(Cell(at + 512, at + 512 + size, *places(cut)[block]))
            else:
                end = at + ustar.stored_size(size)
                found.append(Cell(at, end, (said[0], said[1]), -1 - said[2]))
    return front, found


class Copy:
    """A file after the journey: its folder, its name there, its bytes, and the cells that are right in it."""

    def __init__(self, *, folder, name, fate, data, right):
        self.folder, self.name, self.fate, self.data, self.right = folder, name, fate, data, right

    def __repr__(self):
        return f"{self.folder}/{self.name}: {self.fate}"

    @property
    def front(self):
        """Whether it says what bundle it is."""
        return "front" not in self.fate


@st.composite
def copies(draw, cut, original):
    """Return one copy of a file of the set."""
    data = files_of(cut)[original]
    front, there = cells(cut, original)
    fronts = ("front",) if cut.whole else ("front", "front and VOLUME")  # only VOLUME tells a whole set's cut
    fate = draw(st.sampled_from(("good", "good", "good", "rotten", "around", "cut off", *fronts)))
    right, changed = set(range(len(there))), bytearray(data)
    if fate == "rotten":
        hit = draw(st.sets(st.integers(0, len(there) - 1), min_size=1, max_size=3))
        for number in hit:
            at = draw(st.integers(there[number].begin, there[number].end - 1))
            changed[at] ^= draw(st.integers(1, 255))
        right -= hit
    elif fate == "around":  # headers and padding of blocks, and the end, are no part of a cell
        ends = [front + cut.whole, *(one.end for one in there)]  # the header after it ends a bundle's front
        gaps = [
            (one.begin - 512, one.begin - 1)
            for one, end in zip(there, ends, strict=False)
            if one.column >= 0 and one.begin - 512 >= end
        ]
        for first, last in draw(
            st.lists(st.sampled_from([*gaps, (len(data) - 1024, len(data) - 1)]), min_size=1)
        ):
            changed[draw(st.integers(first, last))] ^= 0x55
    elif fate == "cut off":
        size = draw(
            st.integers(front + 512 * cut.whole, len(data) - 1)
        )  # without a header behind it no front ends
        del changed[size:]
        right = {number for number in right if there[number].end <= size}
    elif fate == "front":
        volume = data.find(b"VOLUME\0", 0, front)  # by which a file is known whatever stands before it
        last = len(data) if draw(st.booleans()) or volume < 0 else draw(st.integers(front, len(data)))
        changed[draw(st.integers(0, (volume if volume > 0 else front) - 1))] ^= draw(st.integers(1, 255))
        del changed[last:]
        right = {number for number in right if there[number].end <= last}
    elif fate == "front and VOLUME":
        changed[:front] = bytes(front)
    others = list(files_of(cut))
    called = draw(
        st.sampled_from(
            (original, original, original.upper(), "copy of it.uvb", draw(st.sampled_from(others)))
        )
    )
    return Copy(
        folder=draw(st.integers(0, 2)), name=called, data=bytes(changed), right=frozenset(right),
        fate=f"{fate} {sorted(set(range(len(there))) - right)} {len(changed)}",
    )  # fmt: skip


@st.composite
def journeys(draw):
    """Return a cut, and copies of its files: none, one or two of each."""
    cut = draw(st.sampled_from(CUTS))
    found = []
    for original in files_of(cut):
        for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2)))):
            found.append((original, draw(copies(cut, original))))
    return cut, found


def is_enough(cut, found):
    """Tell whether parity, where all that is right is used, recovers what is lost."""
    right = {}
    for original, copy in found:
        _, there = cells(cut, original)
        for number in copy.right:
            right.setdefault(there[number].row, set()).add(there[number].column)
    wanted = {}
    for row, column in places(cut).values():
        wanted.setdefault(row, set()).add(column)
    for row, columns in wanted.items():
        have = right.get(row, set())
        if len(columns - have) > len([one for one in have if one < 0]):
            return False
    return True


def lay_out(scratch, found):
    """Write the copies into their folders, whose names they may share, and return the folders that are there."""
    folders = {}
    for number, (_, copy) in enumerate(found):
        folder = folders.setdefault(copy.folder, put(scratch / f"drive{copy.folder}", {}))
        path = folder / copy.name
        if path.exists():
            path = folder / f"{number} {copy.name}"
        path.write_bytes(copy.data)
    return list(folders.values())
