"""Which cuts of a bundle are read where anybody has put files of more of them than can be (FORMAT.md §17).

Sizes prove nothing: a file with a hole in it may have any. Blocks do, and those that are looked at are drawn
by lot, so that nobody knows beforehand which ones have to be right.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from bundler.volumes.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.volumes.survey import Seen

MAX_CUTS = 16  # of one bundle: each takes time for each block, and nobody needs three
_DRAWN = 8  # blocks of a volume that are looked at
_LOT = random.SystemRandom()


def is_crowd(files: Sequence[Seen]) -> bool:
    """Tell whether there are more cuts than are read."""
    return len({one.head.cut for one in files if one.head}) > MAX_CUTS


def kept_cuts(files: Sequence[Seen], index: Index | None) -> set[Cut]:
    """Return the cuts that are read: all of them, or those of which most blocks are right, as samples tell.

    Among equals, and where there is no index, those whose files have the most bytes are read.
    """
    sizes: Counter[Cut] = Counter()
    for one in files:
        if one.head:
            sizes[one.head.cut] += one.size
    if len(sizes) <= MAX_CUTS:
        return set(sizes)
    right = right_blocks(files, index) if index else {}
    return set(sorted(sizes, key=lambda cut: (-right.get(cut, 0), -sizes[cut]))[:MAX_CUTS])


def right_blocks(files: Sequence[Seen], index: Index) -> dict[Cut | None, float]:
    """Return about how many blocks are right in the files of each cut, those of None lying in one file."""
    files_by_cut: dict[Cut | None, list[Seen]] = defaultdict(list)
    for one in files:
        files_by_cut[one.head.cut if one.head else None].append(one)
    whole = _estimate(index, files_by_cut[None])
    return {
        cut: whole if cut is None or cut.whole else _estimate(index, ones)
        for cut, ones in files_by_cut.items()
    }


def _estimate(index: Index, files: Sequence[Seen]) -> float:
    with contextlib.closing(Shelf(index, files)) as shelf:
        volumes = {one.head: one for one in files}.values()  # of several copies each block counts once
        estimate = 0.0
        for one in volumes:
            blocks = shelf.blocks_in(one)
            drawn = _LOT.sample(blocks, min(_DRAWN, len(blocks)))
            if drawn:
                estimate += len(blocks) * sum(shelf.read(block) is not None for block in drawn) / len(drawn)
        return estimate
