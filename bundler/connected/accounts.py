"""What became of each artifact: the stored bytes counted to it, how it is stored, what was recognised.

A content that several artifacts share is counted to the one that comes first, which is the oldest version.
The stored bytes of a stream are shared out by bytes of content: which of them compressed how well nobody can
tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.connected.bundlewriter import Stored
    from bundler.connected.pieces import Cut
    from bundler.connected.recipes import Written
    from bundler.connected.streams import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What became of an artifact: the stored bytes that are counted to it, and how it is stored."""

    stored: int
    how: str


def shares_of(
    cuts: Sequence[Cut], members: Sequence[Stream | Written], stored: Sequence[Stored]
) -> dict[str, Share]:
    """Count the stored bytes of each member to artifacts by how much content each brought into it first."""
    counted = dict.fromkeys((one.ingredient.path for one in cuts), 0.0)
    for one, kept in zip(members, stored, strict=True):
        whole = sum(one.shares.values())
        for path, share in one.shares.items():
            counted[path] += kept.member.size * share / whole
    return {
        one.ingredient.path: Share(stored=round(counted[one.ingredient.path]), how=_how(one)) for one in cuts
    }


def _how(one: Cut) -> str:
    if not one.encoders:
        return "recompressed"
    return f"recompressed ({', '.join(f'{name}: {catalog.title(name)}' for name in one.encoders)})"


def recognised(cuts: Sequence[Cut]) -> str:
    """Say in one line which encoders were recognised, and how many archives are carried as they are."""
    archives = [one for one in cuts if one.ingredient.role == "archive"]
    if not archives:
        return ""  # everything is known already
    found: dict[str, int] = {}
    for one in archives:
        for name in one.encoders if one.reason is None else ():
            found[catalog.title(name)] = found.get(catalog.title(name), 0) + 1
    said = ", ".join(
        f"{title} ({times})" for title, times in sorted(found.items(), key=lambda one: (-one[1], one[0]))
    )
    asis = sum(one.reason is not None for one in archives)
    return f"recognised: {said or 'no encoder'}; {asis} of {len(archives)} carried as they are"
