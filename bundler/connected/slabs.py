"""What stands before a stream for the compressor: the old versions of its files (FORMAT.md §16).

A reader holds the prefix and the window, at most 96 MiB, and each range of a prefix takes about 170 bytes of
an index that travels uncompressed. So streams are cut where their files and the old versions of these no
longer fit, and ranges are joined over gaps as long as there is room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundler.connected.pieces import UV
from bundler.connected.streams import Slab
from bundler.core.index import MAX_WINDOW_LOG
from bundler.core.indexchecks import MAX_REACH as MAX_READER
from bundler.core.recipe import MAX_RANGES, Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bundler.connected.heldcontent import HeldContent
    from bundler.connected.streams import Content

_WINDOW: Final = 1 << MAX_WINDOW_LOG  # bytes; old versions cannot be seen from beyond it
_FRAME: Final = 2 << 10  # bytes that a tar has around a file
_REACH: Final = MAX_READER - (1 << 20)  # names of more than 500 characters take more than _FRAME
_GAPS: Final = (256 << 10, 64 << 10, 16 << 10, 4 << 10, 1 << 10)  # bytes, the widest that fits is taken
_LEAST: Final = 200  # bytes; a shorter range takes as much of the index
_Span = tuple[str, int, int]  # sha256 of the held artifact, begin and end in its content


@dataclass(frozen=True, slots=True, kw_only=True)
class Slabs:
    """Cuts streams; `held` has what each new artifact is encoded against, by its path in a generation."""

    held: Mapping[str, HeldContent]

    def __call__(self, contents: Sequence[Content]) -> list[Slab]:
        """Return the contents in slabs, each with its prefix."""
        slabs: list[Slab] = []
        taken: list[Content] = []
        spans: set[_Span] = set()
        size = 0
        for one in contents:
            old, more = self._old(one), one.piece.length + _FRAME
            wider = spans | old
            if taken and wider and (size + more > _WINDOW or size + more + _length(wider) > _REACH):
                slabs.append(self._slab(taken, spans, size))
                taken, size, wider = [], 0, old
            taken.append(one)
            spans, size = wider, size + more
        return [*slabs, self._slab(taken, spans, size)]

    def _old(self, one: Content) -> set[_Span]:
        """Return where the old version of a file lies."""
        found: set[_Span] = set()
        held = self.held.get(one.owner.ingredient.path)
        if held and one.piece.kind == UV:
            found.add((held.sha256.hex, 0, len(held.view)))
        elif held and (old := held.old_version(one.piece.name)):
            found.add((held.sha256.hex, old.data, old.data + old.size))
        return found

    def _slab(self, contents: Sequence[Content], spans: set[_Span], size: int) -> Slab:
        room = _REACH - min(size, _WINDOW)
        known = {one.sha256.hex: one.sha256 for one in self.held.values()}
        joined = _cropped(_joined(spans, room), room)
        ranges = (
            Range(source=known[source], offset=begin, length=end - begin) for source, begin, end in joined
        )
        return Slab(contents, tuple(ranges))


def _length(spans: set[_Span]) -> int:
    return sum(end - begin for _, begin, end in spans)


def _joined(spans: set[_Span], room: int) -> list[_Span]:
    """Join spans over gaps, as wide ones as the room allows for."""
    joined: list[_Span] = []
    for gap in (*_GAPS, 0):
        joined = []
        for source, begin, end in sorted(spans):
            if joined and joined[-1][0] == source and begin - joined[-1][2] <= gap:
                joined[-1] = (source, joined[-1][1], max(end, joined[-1][2]))
            else:
                joined.append((source, begin, end))
        if sum(end - begin for _, begin, end in joined) <= room:
            break
    return joined


def _cropped(spans: list[_Span], room: int) -> list[_Span]:
    """Return what of the spans fits: one file alone may be too large for its whole old version."""
    kept: list[_Span] = []
    for source, begin, end in spans[:MAX_RANGES]:
        length = min(end - begin, room)
        if length >= _LEAST:
            kept.append((source, begin, begin + length))
            room -= length
    return kept
