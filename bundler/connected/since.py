"""`pack --since`: a bundle of what the earlier ones did not carry, or a full one where they are of no use."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.connected.accounts import Share
from bundler.connected.cutting import allow_mappings
from bundler.connected.delta import Delta
from bundler.connected.deltaplan import built_on, plan_delta, title_of
from bundler.connected.heldcontent import inflated_content, whole_content
from bundler.connected.recompress import recompress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.connected.bundlewriter import Ingredient
    from bundler.connected.deltaplan import DeltaPlan
    from bundler.connected.earliercontent import Contents
    from bundler.connected.heldcontent import HeldContent
    from bundler.connected.recompress import Recompressed
    from bundler.core.digest import Digest
    from bundler.core.index import Artifact
    from bundler.core.progress import Progress
    from bundler.core.recipe import Base, Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was recompressed, with the artifacts that hosts have, and what a host builds on."""

    recompressed: Recompressed
    base: tuple[Base, ...] = ()
    held: tuple[Held, ...] = ()


def make_since(
    ingredients: Sequence[Ingredient], contents: Contents, *, level: str, spool: Path, progress: Progress
) -> Made:
    """Recompress what the earlier bundles of `contents` do not have, against what they have.

    Where none of it is of use the bundle is a full one, and a note says so. Raises `HostFault`, and
    `UsageFault` where the delta breaks a limit.
    """
    plan = plan_delta(ingredients, contents.earlier)
    begun = time.monotonic()
    held = _held(plan, contents, spool, progress)
    opened = time.monotonic() - begun
    done = recompress(
        plan.changed(ingredients), level=level, spool=spool, progress=progress, delta=Delta(held=held)
    )
    kept = plan.kept(ingredients)
    base, used = built_on(
        plan,
        (*done.artifacts, *kept),
        [one.member for one in done.stored],
        {one.sha256: one for one in held.values()},
    )
    if not used:
        progress.note("--since: nothing of the earlier bundles is of use here, this is a full bundle")
        if held:
            whole = spool / "full"
            whole.mkdir()
            done = recompress(ingredients, level=level, spool=whole, progress=progress)
        return Made(recompressed=done)
    digests = {one.sha256 for one in used}
    shares = {
        path: replace(share, how=f"{share.how}, {plan.words(path)}")
        for path, share in done.shares.items()
        if path in held and held[path].sha256 in digests
    }
    shares |= {one.path: Share(stored=0, how=plan.words(one.path)) for one in kept}
    artifacts = sorted((*done.artifacts, *kept), key=lambda one: one.path)
    return Made(
        recompressed=replace(
            done,
            artifacts=tuple(artifacts),
            shares=done.shares | shares,
            seconds=(("open earlier ones", opened), *done.seconds),
        ),
        base=base,
        held=used,
    )


def _held(plan: DeltaPlan, contents: Contents, spool: Path, progress: Progress) -> dict[str, HeldContent]:
    """Return what hosts have of the references that could be had, by the new artifact's path."""
    files = contents.fetch(plan.references.values())
    allow_mappings()
    progress.stage("open earlier ones", None)
    wanted: dict[Digest, Artifact] = {one.sha256: one for one in plan.references.values()}

    def opened(one: Artifact) -> HeldContent | None:
        file = files.get(one.sha256)
        if file is None:
            return None
        if one.role == "uv":
            return whole_content(one.sha256, file)
        return inflated_content(one.sha256, file, spool / f"held-{one.sha256}")

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = dict(zip(wanted, pool.map(opened, wanted.values()), strict=True))
    for digest in files:
        if found[digest] is None:
            progress.note(f"{title_of(wanted[digest])}: is no gzip of a tar, nothing is encoded against it")
    return {path: held for path, one in plan.references.items() if (held := found[one.sha256])}
