"""Which parity cells of a row to recover it from, where some of them may be lies (FORMAT.md §17).

A parity cell's own digest proves nothing: whoever adds a file to a medium can make one that says anything.
Only what is recovered shows whether the cells were right, so other cells are tried where it is not.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundler.volumes.survey import Seen

MAX_TRIES = 64  # for one row; with its 101 cells of 1 MiB each one takes most of a second


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityCell:
    """A parity cell of some row, by its column, in one of the files that have it."""

    column: int
    seen: Seen


def choices(cells: Sequence[ParityCell], count: int) -> Iterator[tuple[ParityCell, ...]]:
    """Yield so many cells, each of another column, in ever other ways, the first ones first: 64 at most.

    With one lie among more cells than are needed, and no more than 64, some choice is without it; with more
    lies, or among more cells, if the others are enough and stand together, or by luck.
    """
    runs = (cells[at:] for at in range(len(cells)))
    without = ((*cells[:at], *cells[at + 1 :]) for at in range(len(cells)))
    ways = (_first(some, count) for some in itertools.chain(runs, without))
    others = (some for some in itertools.combinations(cells, count) if _is_choice(some))
    seen: set[tuple[ParityCell, ...]] = set()
    for choice in itertools.chain((one for one in ways if one), itertools.islice(others, MAX_TRIES)):
        if choice not in seen:
            seen.add(choice)
            yield choice
        if len(seen) == MAX_TRIES:
            return


def _first(cells: Sequence[ParityCell], count: int) -> tuple[ParityCell, ...] | None:
    found: dict[int, ParityCell] = {}
    for one in cells:
        if len(found) < count:
            found.setdefault(one.column, one)
    return tuple(found.values()) if len(found) == count else None


def _is_choice(cells: Sequence[ParityCell]) -> bool:
    return len({one.column for one in cells}) == len(cells)
