"""Whether an index holds together: paths, members, artifacts, recipes, earlier bundles (FORMAT.md §3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bundler.core.digest import Digest
from bundler.core.fault import Fault, KeyPath
from bundler.core.index import (
    IDENTITY,
    MAX_INDEX_BYTES,
    MAX_WINDOW_LOG,
    METADATA_NAME,
    ROOTS,
    SUMS_NAME,
    ZSTD,
)
from bundler.core.metadata import MAX_BYTES as MAX_METADATA_BYTES
from bundler.core.names import check_distinct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bundler.core.index import Artifact, Index, Member
    from bundler.core.recipe import Held, Range, Recipe, Source

MAX_PREFIXED_INDEX = 8 << 20  # bytes: a larger one and a prefix together would take more than 200 MiB
MAX_REACH = 96 << 20  # bytes of prefix and window together that a reader holds for one member
_UV_PATH = re.compile(r"uv/[^/]+/[^/]+/uv[xw]?(?:\.exe)?")  # these alone get a name in bin/


def check_index(index: Index, *, requires: Sequence[str], size: int) -> None:
    """Raise `Fault` where an index of `size` bytes contradicts itself; its values have the right shapes."""
    if list(requires) != index.requires:
        raise Fault(
            f"expected {index.requires!r} for what is used, found {list(requires)!r}", path=("requires",)
        )
    if index.expires is not None and index.expires <= index.created:
        raise Fault(
            f"expected a time after created, {index.created}, found {index.expires}", path=("expires",)
        )
    check_distinct(member.path for member in index.members)
    check_distinct(path for artifact in index.artifacts for path in (artifact.path, *artifact.links))
    if not index.members or index.members[0].path != SUMS_NAME or index.members[0].encoding != IDENTITY:
        raise Fault(f"expected {SUMS_NAME} as the first member", path=("members", 0))
    sizes = _check_held(index)
    served = _check_artifacts(index, sizes)
    for number, member in enumerate(index.members):
        _check_member(member, index.block_size, ("members", number))
        if number and (member.path not in served or not member.path.startswith("payload/")):
            raise Fault(
                "expected a member below payload/ that an artifact comes out of", path=("members", number)
            )
    roles = {artifact.role for artifact in index.artifacts}
    if "archive" in roles and "metadata" not in roles:
        raise Fault(f"expected {METADATA_NAME}, without which uv finds no archive", path=("artifacts",))
    if size > MAX_PREFIXED_INDEX and any(member.prefix for member in index.members):
        raise Fault(f"expected at most {MAX_PREFIXED_INDEX} bytes of index beside a prefix, found {size}")


def _check_held(index: Index) -> dict[Source, int]:
    """Check what a delta builds on; return the sizes of all contents that recipes and prefixes may name."""
    if bool(index.base) != bool(index.held):
        raise Fault("expected both base and held, or neither", path=("base",))
    sizes: dict[Source, int] = {}
    seen: set[Digest] = set()
    for number, held in enumerate(index.held):
        at = ("held", number)
        if held.sha256 in seen or max(held.base) >= len(index.base):
            raise Fault("expected each artifact once, and numbers of bundles in base", path=at)
        if held.content is None and held.inflate:
            raise Fault("missing, but required beside inflate", path=(*at, "content"))
        if held.content is not None and not held.inflate and held.content != held.size:
            raise Fault(f"expected the size, {held.size}, found {held.content}", path=(*at, "content"))
        seen.add(held.sha256)
        if held.content is not None:
            sizes[held.sha256] = held.content
    sizes.update((one.path, one.content) for one in index.members if one.content is not None)
    return sizes


def _check_artifacts(index: Index, sizes: Mapping[Source, int]) -> set[str]:
    """Check where each artifact comes from; return the paths of the members that serve one."""
    members = {member.path: member for member in index.members}
    held = {one.sha256: one for one in index.held}
    whole: set[str] = set()
    used: set[Source] = set()
    for number, artifact in enumerate(index.artifacts):
        at = ("artifacts", number)
        _check_artifact(artifact, at)
        if artifact.member is not None and artifact.recipe:
            raise Fault("expected a member or a recipe, found both", path=at)
        if artifact.member is not None:
            _check_whole(artifact, members.get(artifact.member), at)
            if artifact.member in whole:
                raise Fault("expected one artifact for each member", path=("artifacts",))
            whole.add(artifact.member)
        elif artifact.recipe:
            _check_recipe(artifact.recipe, sizes, (*at, "recipe"))
            used |= {artifact.recipe.member, *artifact.recipe.sources}
        else:
            _check_kept(artifact, held.get(artifact.sha256), at)
            used.add(artifact.sha256)
    for number, member in reversed(list(enumerate(index.members))):
        if member.prefix and member.path in used:
            _check_prefix(index.members[:number], member, sizes, ("members", number, "prefix"))
            used |= {one.source for one in member.prefix}
    if unused := held.keys() - used:
        raise Fault(f"expected only what is used, found {min(map(str, unused))}", path=("held",))
    # No member is in both: what is used has content, and what is whole has none.
    return whole | {one for one in used if isinstance(one, str)}


def _check_artifact(artifact: Artifact, at: KeyPath) -> None:
    roots = ROOTS[artifact.role]
    if artifact.role in ("metadata", "lock") and artifact.size > MAX_METADATA_BYTES:
        raise Fault(f"expected at most {MAX_METADATA_BYTES} bytes, found {artifact.size}", path=(*at, "size"))
    if artifact.role in ("metadata", "lock") and artifact.member is None:
        raise Fault(f"missing, but required for {artifact.role}", path=(*at, "member"))
    if artifact.role == "uv" and not _UV_PATH.fullmatch(artifact.path):
        raise Fault(f"expected uv/VERSION/PLATFORM/ and a program of uv, found {artifact.path!r}", path=at)
    for path in (artifact.path, *artifact.links):
        if path.split("/")[0] not in roots:
            raise Fault(f"expected a path below {' or '.join(roots)}, found {path!r}", path=(*at, "path"))


def _check_whole(artifact: Artifact, source: Member | None, at: KeyPath) -> None:
    if source is None:
        raise Fault(f"expected the path of a member, found {artifact.member!r}", path=(*at, "member"))
    if source.content is not None or source.prefix:
        raise Fault(
            "expected a member without content and prefix, which are for recipes", path=(*at, "member")
        )
    if source.encoding == IDENTITY and (source.size, source.sha256) != (artifact.size, artifact.sha256):
        raise Fault("expected the size and sha256 of its member, which is stored as it is", path=at)


def _check_recipe(recipe: Recipe, sizes: Mapping[Source, int], at: KeyPath) -> None:
    if len(set(recipe.sources)) != len(recipe.sources) or len(set(recipe.encoders)) != len(recipe.encoders):
        raise Fault("expected each source and each encoder once", path=at)
    for source in (recipe.member, *recipe.sources):
        if source not in sizes:
            raise Fault(f"expected what has content, found {str(source)!r}", path=at)
    if recipe.offset + recipe.length > sizes[recipe.member]:
        raise Fault(f"expected a range of the {sizes[recipe.member]} bytes of {recipe.member}", path=at)


def _check_kept(artifact: Artifact, held: Held | None, at: KeyPath) -> None:
    if held is None or held.size != artifact.size:
        raise Fault("expected a member, a recipe, or its size and sha256 in held", path=at)


def _check_prefix(
    earlier: Sequence[Member], member: Member, sizes: Mapping[Source, int], at: KeyPath
) -> None:
    before = {one.path for one in earlier}
    for number, one in enumerate(member.prefix):
        if one.source not in sizes or (not isinstance(one.source, Digest) and one.source not in before):
            raise Fault(
                f"expected what has content and comes before, found {str(one.source)!r}", path=(*at, number)
            )
        if one.offset + one.length > sizes[one.source]:
            raise Fault(
                f"expected a range of the {sizes[one.source]} bytes of {one.source}", path=(*at, number)
            )
    reach = reach_of(member.content or 0, member.prefix)
    if reach > MAX_REACH:
        raise Fault(f"expected at most {MAX_REACH} bytes of prefix and window, found {reach}", path=at)


def reach_of(content: int, prefix: Sequence[Range]) -> int:
    """Return how many bytes of prefix and window a reader holds for a member that decodes to `content`."""
    return sum(one.length for one in prefix) + min(content, 1 << MAX_WINDOW_LOG)


def _check_member(member: Member, block_size: int, at: KeyPath) -> None:
    if member.path == SUMS_NAME and member.size > MAX_INDEX_BYTES:
        raise Fault(f"expected at most {MAX_INDEX_BYTES} bytes, found {member.size}", path=(*at, "size"))
    if (member.prefix and member.content is None) or (member.content is not None and member.encoding != ZSTD):
        raise Fault("expected a prefix only beside content, and content only with zstd", path=at)
    needed = -(-member.size // block_size)
    if len(member.blocks) != needed:
        raise Fault(
            f"expected {needed} digests for {member.size} bytes, found {len(member.blocks)}",
            path=(*at, "blocks"),
        )
