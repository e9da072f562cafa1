"""Which volumes of a bundle are here and which are not, as their files say (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundler.core.text import counted
from bundler.core.volumehead import DATA, PARITY, RESEND
from bundler.offline.shortage import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundler.offline.survey import Seen


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


def show_part(part: dict[str, Any]) -> str:
    """Write one of them for people: `2 of 40 volumes are here: 3, 7`."""
    lines = [_show("volume", part["here"], part["missing"])]
    if part["parity_here"] or part["parity_missing"]:
        lines.append(_show("parity volume", part["parity_here"], part["parity_missing"]))
    if part["whole"]:
        lines[0] = "one file, which is " + ("here" if part["here"] else "missing")
    if part["supplements"]:
        lines.append(counted(part["supplements"], "supplement"))
    return "; ".join(lines)


def _show(noun: str, here: Iterable[int], missing: Iterable[int]) -> str:
    there, absent = list(here), list(missing)
    said = counted(len(there) + len(absent), noun)
    if not absent:
        return f"{said}, all here"
    if not there:
        return f"{said}, none here"
    return f"{said}, here {numbers(there)}, missing {numbers(absent)}"
