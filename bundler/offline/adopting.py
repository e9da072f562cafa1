"""Files whose front is damaged: told by what they hold where a volume would (FORMAT.md §17)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.volumehead import DATA, PARITY, Head, number_in_name
from bundler.offline.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.offline.choosing import Found
    from bundler.offline.survey import Seen

_TRIED = 3  # cells at the beginning of a file; one that is right shows what the file is


def adopt(index: Index, found: Found) -> list[Seen]:
    """Return the files of the bundle, and those of the doubtful ones that hold cells of it where they should.

    Nothing rests on this: what a file holds counts block by block, by the digests of the index.
    """
    cuts = {one.head.cut: one.head.index for one in found.files if one.head}
    adopted = []
    for doubtful in found.doubtful:
        for claim in _claims(doubtful, cuts):
            shelf = Shelf(index, [claim])
            try:
                # Its cells end where the file does, whatever is wrong with what stands before them.
                moved = replace(claim, start=claim.size - (shelf.expected_size(claim) - claim.start))
            finally:
                shelf.close()
            if moved.start > 0 and _holds(index, moved):
                adopted.append(moved)
                break
    return [*found.files, *adopted]


def _claims(seen: Seen, cuts: dict[Cut, str]) -> Iterator[Seen]:
    """Yield what the file may be, the volume that its name says first."""
    named = number_in_name(seen.path.name)
    yield replace(seen, head=None, index=None, intact=False)
    for cut, digest in cuts.items():
        data = 0 if cut.whole else cut.data_volumes
        heads = [(DATA, number + 1) for number in range(data)]
        heads += [(PARITY, number + 1) for number in range(cut.parity_volumes)]
        heads.sort(key=lambda one: named is None or one != named[:2])
        for kind, number in heads:
            head = Head(kind=kind, number=number, cut=cut, index=digest)
            yield replace(seen, head=head, index=digest, intact=False)


def _holds(index: Index, seen: Seen) -> bool:
    shelf = Shelf(index, [seen])
    try:
        if seen.head is None:
            return any(shelf.read(block) is not None for block in range(min(_TRIED, len(shelf.blocks))))
        layout, volume = shelf.layouts[0], seen.head.number - 1
        if seen.head.kind == DATA:
            return any(shelf.read(block) is not None for block in layout.volume_blocks(volume)[:_TRIED])
        cells = zip(layout.parity_cells(volume), range(_TRIED), strict=False)
        return any(shelf.parity(layout.cut, *cell) is not None for cell, _ in cells)
    finally:
        shelf.close()
