"""Files whose front is damaged: told by `VOLUME`, or by the cells that they hold (FORMAT.md §17)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.fault import Fault
from bundler.core.volumehead import DATA, MAX_VOLUME_BYTES, PARITY, VOLUME_NAME, Head, number_in_name
from bundler.errors import BundlerError
from bundler.offline.front import as_members, files_of
from bundler.offline.shelf import Shelf
from bundler.offline.survey import open_regular

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
    front = sum(map(len, as_members(files_of(found.signed))))
    adopted = [one for one in (_by_volume(each, front) for each in found.doubtful) if one]
    adopted = [one for one in adopted if one.index == found.signed.digest]
    cuts = {one.head.cut: one.head.index for one in (*found.files, *adopted) if one.head}
    known = {one.path for one in adopted}
    for doubtful in (one for one in found.doubtful if one.path not in known):
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


def _by_volume(seen: Seen, front: int) -> Seen | None:
    """Return what `VOLUME` says, where it stands behind a front of this size in bytes, or None."""
    try:
        with open_regular(seen.path) as stream:
            stream.seek(front)
            name, size = ustar.parse_header(stream.read(ustar.BLOCK))
            if name != VOLUME_NAME or size > MAX_VOLUME_BYTES:
                return None
            head = Head.parse(stream.read(size))
    except (OSError, Fault, BundlerError):
        return None
    return replace(seen, head=head, index=head.index, start=front + ustar.stored_size(size), intact=False)


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
