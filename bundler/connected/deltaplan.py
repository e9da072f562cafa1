"""What of a new bundle the earlier ones have, and what the rest is encoded against (FORMAT.md §16).

Decided from indexes alone: the same ones give the same plan, whatever a cache holds. Of an earlier index its
label and digests are taken; sizes are those of files that were hashed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from bundler.connected.reference import nearest_of
from bundler.core.digest import Digest
from bundler.core.index import Artifact, Content
from bundler.core.recipe import MAX_HELD, Base, Held
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bundler.connected.earlier import Earlier
    from bundler.connected.heldcontent import HeldContent
    from bundler.core.index import Member

AnyContent = TypeVar("AnyContent", bound=Content)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaPlan:
    """By paths in a generation: what hosts have already, and which of their files a new one resembles."""

    earlier: Sequence[Earlier]
    unchanged: Mapping[str, Artifact]
    references: Mapping[str, Artifact]

    def changed(self, contents: Iterable[AnyContent]) -> list[AnyContent]:
        """Return those that are to be carried."""
        return [one for one in contents if one.path not in self.unchanged]

    def kept(self, contents: Iterable[Content]) -> list[Artifact]:
        """Return the others, as artifacts that hosts have."""
        return [Artifact.of(one) for one in contents if one.path in self.unchanged]

    def words(self, path: str) -> str:
        """Say what becomes of an artifact: `unchanged: 2026Q3`, `against cpython-3.13.5-…`, or nothing."""
        if one := self.unchanged.get(path):
            newest = next(other.base for other in reversed(self.earlier) if _has(other, one))
            return f"unchanged: {newest.release}"
        other = self.references.get(path)
        return f"against {title_of(other)}" if other else ""


def plan_delta(contents: Sequence[Content], earlier: Sequence[Earlier]) -> DeltaPlan:
    """Compare archives and programs of uv with those of the earlier bundles; the metadata travels always."""
    known = [one for other in earlier for one in other.index.artifacts]
    same = {_identity(one): one for one in known}
    unchanged, references = {}, {}
    for one in contents:
        if one.role not in ("archive", "uv"):
            continue
        if _identity(one) in same:
            unchanged[one.path] = same[_identity(one)]
        elif near := nearest_of(one, known):
            references[one.path] = near
    return DeltaPlan(earlier=earlier, unchanged=unchanged, references=references)


def title_of(one: Content) -> str:
    """Return what people call an artifact: its installation key, or `uv 0.13.8`."""
    return one.key or (f"{PurePosixPath(one.path).name} {one.uv}" if one.uv else one.path)


def built_on(
    plan: DeltaPlan,
    artifacts: Sequence[Artifact],
    members: Iterable[Member],
    contents: Mapping[Digest, HeldContent],
) -> tuple[tuple[Base, ...], tuple[Held, ...]]:
    """Return `base` and `held` for an index: the earlier bundles and artifacts that are used, and no others.

    Each artifact has the numbers of all bundles that brought it, so that any of them will do.
    """
    sources = {
        source
        for one in artifacts
        for source in (one.recipe.sources if one.recipe else () if one.member else (one.sha256,))
    }
    sources |= {one.source for member in members for one in member.prefix}
    used = sorted((one for one in sources if isinstance(one, Digest)), key=str)
    if len(used) > MAX_HELD:
        raise UsageFault(
            f"--since: {len(used)} files would be taken from earlier bundles, expected at most {MAX_HELD}",
            hint="pack a full bundle, without --since, or split the manifest",
        )
    wanted: dict[Digest, list[Artifact]] = {}
    for artifact in (*plan.unchanged.values(), *plan.references.values()):
        wanted.setdefault(artifact.sha256, []).append(artifact)
    known = [(other, {_identity(one) for one in other.index.artifacts}) for other in plan.earlier]
    having = {
        digest: [other for other, all_of in known if any(_identity(one) in all_of for one in wanted[digest])]
        for digest in used
    }
    sizes = {one.sha256: one.size for one in artifacts} | {one.sha256: one.size for one in contents.values()}
    bases = [one for one in plan.earlier if any(one in others for others in having.values())]
    held = [
        Held(
            sha256=digest,
            size=sizes[digest],
            base=tuple(bases.index(one) for one in others),
            content=len(contents[digest].view) if digest in contents else None,
            inflate=digest in contents and contents[digest].inflate,
        )
        for digest, others in having.items()
    ]
    return tuple(one.base for one in bases), tuple(held)


def _identity(one: Content) -> tuple[str, str, bool]:
    """Return what makes a file on a host the one that is wanted: a platform's files are all its host has."""
    return one.sha256.hex, str(one.platform), one.executable


def _has(earlier: Earlier, one: Content) -> bool:
    return any(_identity(other) == _identity(one) for other in earlier.index.artifacts)
