"""Which cells of a bundle its files have right: each file read once, from its beginning to its end.

A drive, or a disc, is read as it likes to be read, and what is wrong is known file by file (FORMAT.md §17).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.cut import Cut, Layout
from bundler.core.text import counted
from bundler.core.volumehead import (
    PARITY,
    RESEND,
    Head,
    heads_of,
    is_stem,
    number_in_name,
    stem_in_name,
    volume_name,
)
from bundler.errors import UsageFault
from bundler.offline.folder import is_exploded
from bundler.volumes.adopting import adopt
from bundler.volumes.ends import check_ends
from bundler.volumes.named import choose_named, name_of
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import list_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.volumes.choosing import Found, Judge
    from bundler.volumes.survey import Seen

_MAX_STEM_BYTES = 200  # with a number, and all that a file is called while it is written, a name has 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file of the bundle after all of it was read; `wrong` is the first thing that is, in words.

    `bad` of its `cells` are not as they were written. Sizes are in bytes.
    """

    seen: Seen
    cells: int
    bad: int
    size: int  # that it should have
    wrong: str | None = None

    @property
    def cut_off(self) -> bool:
        """Whether the file ends too early."""
        return self.seen.size < self.size

    def __str__(self) -> str:
        kind = "cut off" if self.cut_off else "damaged"
        of = f"{self.bad} of {counted(self.cells, 'block')} of it are lost, " if self.bad else ""
        return f"{self.seen.path}: {kind}: {of}{self.wrong}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the files of a bundle hold that is right.

    `lost` are the blocks that no file has; `parity` has a bit for each parity column that is right, by cut,
    group and row. `layouts` are those of the volumes that are there.
    """

    index: Index
    copies: tuple[Copy, ...]
    lost: frozenset[int]
    layouts: tuple[Layout, ...]
    parity: dict[Cut, list[list[int]]]

    @property
    def files(self) -> list[Seen]:
        """The files of the bundle."""
        return [one.seen for one in self.copies]

    @property
    def main(self) -> Layout:
        """The layout of which most blocks are right; that of one file where there are no volumes."""
        if not self.layouts:
            return Layout(self.index, Cut(volumes=1))

        def right(layout: Layout) -> tuple[int, int, int]:  # anybody can make parity that looks right
            files = [one for one in self.copies if _has_cut(one.seen, layout.cut)]
            parity = [one for one in files if one.seen.head and one.seen.head.kind == PARITY]
            blocks, cells = (sum(one.cells - one.bad for one in ones) for ones in (files, parity))
            return blocks - cells, cells, len(files)

        return max(self.layouts, key=right)

    @property
    def stem(self) -> str:
        """The name that most of the files have before their numbers, which anybody can have given to them."""
        stems = Counter(
            stem_in_name(one.path.name)
            for one in self.files
            if not one.misnamed and (one.head is None or number_in_name(one.path.name))
        )
        for stem in [stem for stem in stems if not is_stem(stem) or len(stem.encode()) > _MAX_STEM_BYTES]:
            del stems[stem]
        return stems.most_common(1)[0][0] if stems else self.index.stem

    def good_parity(self, layout: Layout, group: int, row: int) -> int:
        """Return how many parity cells of the row are right."""
        return self.parity[layout.cut][group][row].bit_count() if layout.cut in self.parity else 0

    def wanting(self, digest: str) -> list[tuple[Head | None, str]]:
        """Return what the main layout's volumes are and are called of which there is no good copy.

        None stands for the bundle in one file. `digest` is the sha256 of the index.
        """
        stem, good = self.stem, {_what(one.seen.head) for one in self.copies if one.wrong is None}
        heads = heads_of(self.main.cut if self.layouts else None, digest)
        return [(one, volume_name(stem, one)) for one in heads if _what(one) not in good]

    def absent(self, digest: str) -> list[tuple[Head | None, str]]:
        """Return those of `wanting` of which there is no copy at all."""
        there = {_what(one.seen.head) for one in self.copies}
        return [(head, name) for head, name in self.wanting(digest) if _what(head) not in there]


def _what(head: Head | None) -> tuple[str, int, Cut] | None:
    return (head.kind, head.number, head.cut) if head else None


def _has_cut(seen: Seen, cut: Cut) -> bool:
    """Tell whether the file is a part of a set that is cut so."""
    if seen.head is None:
        return cut.whole
    return seen.head.kind != RESEND and seen.head.cut == cut


def gather(paths: Sequence[Path], *, judge: Judge) -> tuple[Found, str]:
    """Look at the files that `paths` name; return the bundle that they are, and what messages call them.

    Unlike `opened` it takes a bundle in one file as a set of one. Raises `UsageFault`, `DamagedFault`,
    `SignatureFault`, `HostFault`.
    """
    name, files = name_of(paths), list(list_files(paths))
    if not files:
        exploded = any(map(is_exploded, paths))
        raise UsageFault(
            f"{name}: expected a bundle's files in this folder, found "
            + ("an exploded bundle, which has no blocks of its own" if exploded else "none"),
            hint="copy that folder once more, its SHA256SUMS says which files"
            if exploded
            else "check that the medium is mounted; bundles end in .uvb",
        )
    return choose_named(paths, files, judge=judge), name


def take_inventory(index: Index, found: Found, *, progress: Progress) -> Inventory:
    """Read all files of the bundle once; `index` is the accepted one. Never raises for what is in a file."""
    files = adopt(index, found)
    with contextlib.closing(Shelf(index, files)) as shelf:
        layouts = tuple(shelf.layouts)
    parity = {one.cut: [[0] * one.rows(group) for group in range(one.cut.groups)] for one in layouts}
    have = bytearray(sum(len(member.blocks) for member in index.members))
    progress.stage("read", sum(one.size for one in files))
    copies = [_read(index, one, have, parity, front=found.front, progress=progress) for one in files]
    return Inventory(
        index=index,
        copies=tuple(copies),
        lost=frozenset(block for block, there in enumerate(have) if not there),
        layouts=layouts,
        parity=parity,
    )


def _read(
    index: Index,
    seen: Seen,
    have: bytearray,
    parity: dict[Cut, list[list[int]]],
    *,
    front: str,
    progress: Progress,
) -> Copy:
    """Read one file, and enter what is right in it."""
    with contextlib.closing(Shelf(index, [seen])) as shelf:
        if seen.head and seen.head.kind == PARITY:
            cells, good = _read_parity(shelf, seen.head, parity[seen.head.cut], progress)
        else:
            cells, good = _read_blocks(shelf, seen, have, progress)
        check_ends(shelf, seen, front=front)
        harm = shelf.harm.get(seen.path)
        return Copy(
            seen=seen,
            cells=cells,
            bad=cells - good,
            size=shelf.expected_size(seen),
            wrong=harm.first if harm else None,
        )


def _read_parity(shelf: Shelf, head: Head, parity: list[list[int]], progress: Progress) -> tuple[int, int]:
    """Enter the parity cells that are right; return how many there should be, and how many these are."""
    layout, cells, good = shelf.layouts[0], 0, 0
    for group, row, column in layout.parity_cells(head.number - 1):
        cells += 1
        if shelf.parity(head.cut, group, row, column) is not None:
            parity[group][row] |= 1 << column
            good += 1
        progress.advance(layout.row_size(group, row))
    return cells, good


def _read_blocks(shelf: Shelf, seen: Seen, have: bytearray, progress: Progress) -> tuple[int, int]:
    """Enter the blocks that are right; return how many there should be, and how many these are."""
    blocks, short, good = shelf.blocks_in(seen), seen.size < shelf.expected_size(seen), 0
    for block in blocks:
        if shelf.read(block) is not None:
            have[block] = 1
            good += 1
        elif short and not shelf.has(block):  # nor has it any after this one
            break
        progress.advance(shelf.blocks.size(block))
    return len(blocks), good
