"""Files whose front is damaged: told by `VOLUME`, or by the cells that they hold (FORMAT.md §17)."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

from bundler.core import ustar
from bundler.core.cut import Layout
from bundler.core.fault import Fault
from bundler.core.volumehead import DATA, MAX_VOLUME_BYTES, PARITY, VOLUME_NAME, Head, number_in_name
from bundler.errors import BundlerError
from bundler.offline.front import as_members, files_of
from bundler.volumes.shelf import Shelf
from bundler.volumes.stacks import Stack
from bundler.volumes.survey import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.volumes.choosing import Found
    from bundler.volumes.survey import Seen

_CELL = re.compile(r"parity/([0-9]{4})-[0-9]{7}-([0-9]{3})-[0-9a-f]{64}")
_TRIED = 3  # cells at the beginning of a file; one that is right shows what the file is


def adopt(index: Index, found: Found) -> list[Seen]:
    """Return the files of the bundle, and those of the doubtful ones that hold cells of it where they should.

    Nothing rests on this: what a file holds counts block by block, by the digests of the index.
    """
    front = sum(map(len, as_members(files_of(found.signed))))
    adopted, rest = [], []
    for doubtful in found.doubtful:
        if doubtful.intact and doubtful.head:  # it says itself, undamaged, that it belongs to another bundle
            continue  # what lies in one file has no other word for it than its index, which may be damaged
        one = _by_volume(doubtful, front)
        if one and one.index == found.signed.digest:
            adopted.append(one)
        else:
            rest.append(doubtful)
    files = [*found.files, *adopted]
    wrong = {one.path for one in files if _is_spoilt(one, index)}
    if rest or wrong:
        finder = _Finder(index, found.signed.digest, dict.fromkeys(one.head.cut for one in files if one.head))
        files = [(finder.find(one) or one) if one.path in wrong else one for one in files]
        files += [one for one in map(finder.find, rest) if one]
    return files


def _is_spoilt(seen: Seen, index: Index) -> bool:
    """Tell whether `VOLUME` is not what its first line makes of it: then this line may be wrong, too."""
    if seen.head is None or seen.is_supplement:
        return False
    return seen.volume != hashlib.sha256(seen.head.to_bytes(index)).hexdigest()


def _by_volume(seen: Seen, front: int) -> Seen | None:
    """Return what `VOLUME` says, where it stands behind a front of this size in bytes, or None."""
    try:
        with open_regular(seen.path) as stream:
            stream.seek(front)
            name, size = ustar.parse_header(stream.read(ustar.BLOCK))
            if name != VOLUME_NAME or size > MAX_VOLUME_BYTES:
                return None
            volume = stream.read(size)
            head = Head.parse(volume)
    except (OSError, Fault, BundlerError):
        return None
    return replace(
        seen,
        head=head,
        index=head.index,
        start=front + ustar.stored_size(size),
        volume=hashlib.sha256(volume).hexdigest(),
        intact=False,
    )


class _Finder:
    """What a file is by its cells: they end where it does, whatever is wrong with what stands before them.

    Nothing is tried volume by volume, of which there may be thousands: the headers of the first cells say
    which one it is, and volumes of one length have them in few places.
    """

    def __init__(self, index: Index, digest: str, cuts: Iterable[Cut]) -> None:
        self._index, self._digest = index, digest
        self._stacks = {cut: Stack(Layout(index, cut)) for cut in cuts}
        self._places: dict[int, set[tuple[Cut, int]]] = {}  # by bytes of all cells: where the first ones are
        for cut, stack in self._stacks.items():
            for kind, number in _volumes(cut):
                table = stack.table(kind, number - 1)
                places = self._places.setdefault(table[-1], set())
                places.update((cut, at) for at in table[: min(_TRIED, len(table) - 1)])

    def find(self, seen: Seen) -> Seen | None:
        """Return what the file is, which is the volume that its name says where that is so, or None."""
        named = number_in_name(seen.path.name)
        heads = [(cut, *named[:2]) for cut in self._stacks if named and named[:2] in _volumes(cut)]
        for cut, kind, number in itertools.chain(heads, self._by_headers(seen)):
            head = Head(kind=kind, number=number, cut=cut, index=self._digest)
            size = self._stacks[cut].table(kind, number - 1)[-1]
            if found := self._ending(seen, size, head=head, index=self._digest):
                return found
        return self._ending(seen, sum(ustar.stored_size(one.size) for one in self._index.members))

    def _ending(self, seen: Seen, size: int, **said: Any) -> Seen | None:
        """Return the file as what it is said to be where it ends with so many bytes of cells."""
        start = seen.size - len(ustar.END) - size
        claim = replace(seen, **({"head": None, "index": None} | said), start=start)
        return claim if start > 0 and _holds(self._index, claim) else None

    def _by_headers(self, seen: Seen) -> Iterator[tuple[Cut, str, int]]:
        """Yield the volumes whose cells the file has where these would have them, by the cells' headers."""
        try:
            with open_regular(seen.path) as stream:
                for size, places in self._places.items():
                    for cut, offset in places:
                        at = seen.size - len(ustar.END) - size + offset
                        if at > 0 and (volume := self._volume_at(stream, at, cut)):
                            kind, number = volume
                            if self._stacks[cut].table(kind, number - 1)[-1] == size:
                                yield cut, kind, number
        except BundlerError:
            return

    def _volume_at(self, stream: BinaryIO, at: int, cut: Cut) -> tuple[str, int] | None:
        layout = self._stacks[cut].layout
        try:
            stream.seek(at)
            name, _ = ustar.parse_header(stream.read(ustar.BLOCK))
            if cell := _CELL.fullmatch(name):
                group, column = map(int, cell.groups())
                volume = (PARITY, 1 if cut.whole else column * cut.groups + group + 1)
            else:
                volume = (DATA, layout.data_volume(layout.blocks.parse_name(name)) + 1)
        except (OSError, Fault):
            return None
        return volume if volume in _volumes(cut) else None


@lru_cache
def _volumes(cut: Cut) -> frozenset[tuple[str, int]]:
    """Return kind and number, from 1, of the volumes of a cut; a bundle in one file is none."""
    data = 0 if cut.whole else cut.volumes
    return frozenset(
        itertools.chain(
            ((DATA, number + 1) for number in range(data)),
            ((PARITY, number + 1) for number in range(cut.parity_volumes)),
        )
    )


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
