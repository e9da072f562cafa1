"""A ticket for exactly these blocks, and one that asks for more but fits a line (FORMAT.md §17)."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.ticket import LINE_CHARS, SHORT, Ticket, ranges_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bundler.core.cut import Layout

_FEW = 24  # ranges for which no line has room
_MANY = 10_000  # blocks of which it no longer matters how well they are joined


def exact_ticket(needed: Collection[int], *, layout: Layout, index: str) -> Ticket:
    """Return the ticket for these blocks; a volume all of whose blocks are needed is asked for whole."""
    wanted = set(needed)
    whole = [
        volume
        for volume in range(layout.cut.data_volumes)
        if (blocks := layout.volume_blocks(volume)) and all(block in wanted for block in blocks)
    ]
    for volume in whole:
        wanted.difference_update(layout.volume_blocks(volume))
    return Ticket(
        index=index,
        cut=layout.cut,
        volumes=ranges_of(one + 1 for one in whole),
        blocks=ranges_of(sorted(wanted)),
    )


def blocks_of(ticket: Ticket, layout: Layout) -> list[int]:
    """Return the blocks that a ticket asks for, ascending; raises `Fault` for one that the bundle has not."""
    found: set[int] = set()
    for volumes in ticket.volumes:
        for volume in volumes:
            found.update(layout.volume_blocks(volume - 1))
    last = len(layout.blocks) - 1
    for blocks in ticket.blocks:
        if blocks.stop - 1 > last:
            raise Fault(f"the bundle has blocks 0 to {last}, expected one of them, found {blocks.stop - 1}")
        found.update(blocks)
    return sorted(found)


def fitting(ticket: Ticket, *, layout: Layout) -> Ticket:
    """Return the ticket whose line has at most 80 characters: itself, or one that asks for more as well.

    Of those that the search makes it is the one that asks for the fewest blocks: volumes of which many blocks
    are needed are asked for whole, and ranges with the smallest gaps are joined.
    """
    short = replace(ticket, index=ticket.index[:SHORT])
    if len(str(short)) <= LINE_CHARS:
        return short
    homes = {block: layout.data_volume(block) for block in blocks_of(ticket, layout)}
    made = (_joined(short, layout, homes, whole) for whole in _promotions(ticket, layout, homes))
    return min(
        (one for one in made if one is not None), key=lambda one: (len(blocks_of(one, layout)), str(one))
    )


def _promotions(ticket: Ticket, layout: Layout, homes: Mapping[int, int]) -> Iterator[list[int]]:
    """Yield sets of volumes, from 0, to ask for whole: the fullest first, then more and more of them.

    `homes` are the blocks that are needed and their volumes.
    """
    whole = [one - 1 for some in ticket.volumes for one in some]
    needs = Counter(homes.values())
    for volume in whole:
        needs.pop(volume, None)
    order = sorted(needs, key=lambda one: (len(layout.volume_blocks(one)) - needs[one], one))
    few = 1 if len(homes) > _MANY else _FEW
    counts = {*range(min(few, len(order)) + 1), *(len(order) >> step for step in range(14))}
    for count in sorted(counts):
        yield sorted((*whole, *order[:count]))


def _joined(short: Ticket, layout: Layout, homes: Mapping[int, int], whole: Sequence[int]) -> Ticket | None:
    """Return the best ticket with these volumes whole, whose ranges are joined until they fit."""
    volumes = ranges_of(one + 1 for one in whole)
    best = None
    for keep in sorted({min(len(volumes), most) for most in (1, 2, 4, 8, _FEW)}):
        asked = _nearest(volumes, keep)
        held = {one - 1 for some in asked for one in some}
        blocks = ranges_of(block for block, volume in homes.items() if volume not in held)
        for ranges in range(min(len(blocks), _FEW), min(len(blocks), 1) - 1, -1):
            made = replace(short, volumes=asked, blocks=_nearest(blocks, ranges))
            if len(str(made)) <= LINE_CHARS:
                count = len(blocks_of(made, layout))
                if best is None or count < best[0]:
                    best = (count, made)
                break
    return best[1] if best else None


def _nearest(ranges: Sequence[range], keep: int) -> tuple[range, ...]:
    """Return `keep` ranges: those with the smallest gaps between them are joined."""
    if len(ranges) <= keep:
        return tuple(ranges)
    gaps = sorted(range(1, len(ranges)), key=lambda at: ranges[at - 1].stop - ranges[at].start)[: keep - 1]
    starts = [0, *sorted(gaps), len(ranges)]
    return tuple(
        range(ranges[first].start, ranges[after - 1].stop) for first, after in itertools.pairwise(starts)
    )
