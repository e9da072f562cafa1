"""What a set lacks, told by which files are there and how long they are, before any block is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.text import are, counted, numbers, size
from bundler.core.volumehead import DATA, PARITY, Head, volume_name, volumes_of
from bundler.errors import IncompleteFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundler.core.cut import Layout
    from bundler.volumes.shelf import Shelf

SEND_AGAIN = "what has to be sent once more is said by: uv-bundler missing"
_NAMED = 12  # files in one message


def send_again(words: str) -> str:
    """Return the next step where too little is there; `words` name the files."""
    return f"{SEND_AGAIN} {words}"


def check_enough(shelf: Shelf, *, name: str, words: str) -> None:
    """Raise `IncompleteFault` where the files, if all that they hold is right, do not make the bundle.

    `words` are what a person types after a command to name these files.
    """
    if shelf.is_complete:
        return
    gone = [block for block in range(len(shelf.blocks)) if not shelf.has(block)]
    absent, layouts = set(gone), shelf.layouts
    for layout in layouts:
        if layout.cut.parity:
            absent.difference_update(_recoverable(shelf, layout, gone))
    if absent:
        raise IncompleteFault(
            f"{name}: {_missing(shelf, layouts)}" if layouts else f"{name}: {_short(shelf)}",
            hint=f"name all folders and files that there are; {send_again(words)}",
        )


def _recoverable(shelf: Shelf, layout: Layout, gone: Iterable[int]) -> Iterator[int]:
    """Yield those of the blocks that no file has in whose rows there is enough parity for all of these."""
    for (group, row), blocks in layout.by_row(gone).items():
        if len(blocks) <= _parity_present(shelf, layout, group, row):
            yield from blocks


def _parity_present(shelf: Shelf, layout: Layout, group: int, row: int) -> int:
    """Return how many parity cells of a row the files are long enough for."""
    columns = range(layout.cut.parity)
    return sum(shelf.has_parity(layout.cut, group, row, column) for column in columns)


def _missing_volumes(shelf: Shelf, layout: Layout, kind: str) -> list[int]:
    """Return the numbers, from 1, of the volumes of that kind that no file is."""
    cut = layout.cut
    return [one + 1 for one in range(volumes_of(cut, kind)) if not shelf.copies(cut, kind, one)]


def _stored_bytes(layout: Layout, volume: int) -> int:
    """Return the bytes that the cells of a data volume, from 0, take in its file."""
    return sum(ustar.stored_size(layout.blocks.size(block)) for block in layout.volume_blocks(volume))


def absent_lines(shelf: Shelf) -> list[str]:
    """Return a line for the volumes of each set that no file is; of several sets it says of which."""
    lines = []
    for layout in shelf.layouts:
        cut = layout.cut
        of_set = f"{counted(cut.volumes, 'volume')} and {cut.parity_volumes} of parity"
        which = f" (of the set of {of_set})" if len(shelf.layouts) > 1 and not cut.whole else ""
        for kind, what in ((DATA, "volume"), (PARITY, "parity volume")):
            absent = _missing_volumes(shelf, layout, kind)
            if absent and cut.whole and kind == DATA:
                lines.append("the bundle in one file is missing")
            elif absent:
                total = counted(volumes_of(cut, kind), what)
                lines.append(f"{len(absent)} of {total} {are(len(absent))} missing: {numbers(absent)}{which}")
    return lines


def _missing(shelf: Shelf, layouts: Iterable[Layout]) -> str:
    """Say what the most complete set lacks."""
    layout = min(layouts, key=lambda one: len(_missing_volumes(shelf, one, DATA)))
    cut = layout.cut
    data, parity = (_missing_volumes(shelf, layout, kind) for kind in (DATA, PARITY))
    if cut.whole:
        return _short(shelf)
    said = []
    if data:
        first = volume_name(shelf.index.stem, Head(kind=DATA, number=data[0], cut=cut, index="0" * 64))
        total = sum(_stored_bytes(layout, one - 1) for one in data)
        said.append(
            f"{len(data)} of {counted(cut.volumes, 'volume')} {are(len(data))} missing: {numbers(data)} "
            f"({size(total)}; the first is {first})"
        )
    if short := [one for one in shelf.files if one.size < shelf.expected_size(one)]:
        said.append(f"{', '.join(str(one.path) for one in short[:_NAMED])} cut off")
    if cut.parity:
        there = cut.parity_volumes - len(parity)
        said.append(f"{there} of {counted(cut.parity_volumes, 'parity volume')} there, which is too little")
    return "; ".join(said)


def _short(shelf: Shelf) -> str:
    whole = [one for one in shelf.files if one.head is None]
    if not whole:
        if shelf.layouts:
            return "the bundle in one file is missing, and its parity alone is not enough"
        return "the volumes are missing, and a supplement alone is not enough"
    return f"{whole[0].path} is cut off: {whole[0].size} bytes, expected {shelf.expected_size(whole[0])}"
