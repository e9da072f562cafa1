"""Which volumes of a bundle are here and which are not, as their files say (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundler.core.volumehead import DATA, PARITY, RESEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.volumes.survey import Seen


def parts_of(files: Sequence[Seen]) -> list[dict[str, Any]]:
    """Return for each cut the numbers of its volumes, from 1, that are `here` and `missing`; likewise parity.

    `whole` tells of a bundle in one file with parity beside it; `supplements` counts what was sent again.
    """
    found = []
    heads = [one.head for one in files if one.head]
    for cut in sorted({one.cut for one in heads}, key=lambda one: (one.volumes, one.parity, one.groups)):
        mine = [one for one in heads if one.cut == cut]
        data = {one.number for one in mine if one.kind == DATA}
        if cut.whole:
            data = {1} if any(one.head is None for one in files) else set()
        parity = {one.number for one in mine if one.kind == PARITY}
        found.append(
            {
                "whole": cut.whole,
                "here": sorted(data),
                "missing": sorted(set(range(1, cut.data_volumes + 1)) - data),
                "parity_here": sorted(parity),
                "parity_missing": sorted(set(range(1, cut.parity_volumes + 1)) - parity),
                "supplements": sum(one.kind == RESEND for one in mine),
            }
        )
    return found
