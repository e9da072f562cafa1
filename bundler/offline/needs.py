"""What of a bundle, and of the bundles before it, a set of artifacts is made of (FORMAT.md §15, §16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundler.core.index import Artifact, Index
    from bundler.core.recipe import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Members to decode, and held artifacts: those to copy from, and those that are taken as they are."""

    members: frozenset[str]
    contents: frozenset[Digest]
    kept: frozenset[Digest]

    @property
    def held(self) -> frozenset[Digest]:
        """Everything that the host must have."""
        return self.contents | self.kept


def needs_of(index: Index, artifacts: Iterable[Artifact]) -> Needs:
    """Return what writing these artifacts of `index` takes."""
    members: set[str] = set()
    wanted: set[Source] = set()
    kept: set[Digest] = set()
    for one in artifacts:
        if one.member is not None:
            members.add(one.member)
        elif one.recipe:
            wanted |= {one.recipe.member, *one.recipe.sources}
        else:
            kept.add(one.sha256)
    for member in reversed(index.members):  # what a prefix names comes before its member
        if member.path in wanted:
            wanted |= {one.source for one in member.prefix}
    return Needs(
        members=frozenset(members) | {one for one in wanted if isinstance(one, str)},
        contents=frozenset(one for one in wanted if isinstance(one, Digest)),
        kept=frozenset(kept),
    )


def spooled(index: Index, needs: Needs) -> int:
    """Return how many bytes of content lie on disk while these needs are met."""
    inside = sum(one.content or 0 for one in index.members if one.path in needs.members)
    return inside + sum(one.content or 0 for one in index.held if one.sha256 in needs.contents)
