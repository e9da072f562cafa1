"""What a delta builds on, found among the generations of this host (FORMAT.md §15); nothing is written."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError, IncompleteFault
from bundler.offline.generation import read_generation
from bundler.offline.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bundler.core.digest import Digest
    from bundler.core.index import Index
    from bundler.offline.generation import Generation
    from bundler.offline.plan import Plan
    from bundler.offline.prefix import Prefix


def with_held(plan: Plan, index: Index, prefix: Prefix, *, active: Generation | None, name: str) -> Plan:
    """Return the plan with the place of everything that it takes from earlier bundles.

    Raises `IncompleteFault`, which names the bundle, where this host lacks any of it.
    """
    needs = needs_of(index, plan.write)
    if not needs.held:
        return plan
    found = find_held(needs.held, index, prefix, active=active, name=name)
    kept = tuple((one, found[one.sha256]) for one in plan.write if one.sha256 in needs.kept)
    return replace(
        plan,
        write=tuple(one for one in plan.write if one.member or one.recipe),
        keep=(*plan.keep, *kept),
        held={one: found[one] for one in needs.contents},
    )


def find_held(
    wanted: Iterable[Digest], index: Index, prefix: Prefix, *, active: Generation | None, name: str
) -> dict[Digest, Path]:
    """Return where this host has each of these artifacts of earlier bundles; raises `IncompleteFault`."""
    sizes = {one.sha256: one.size for one in index.held}
    missing, found = set(wanted), {}
    for generation, other in _generations(prefix, active):
        for artifact in generation.artifacts(other):
            file = generation.folder / artifact.path
            if artifact.sha256 in missing and _is_file(file, sizes[artifact.sha256]):
                found[artifact.sha256] = file
                missing.discard(artifact.sha256)
        if not missing:
            return found
    raise IncompleteFault(
        f"{name}: builds on {_titles(index, missing)}; {counted(len(missing), 'file')} of it "
        f"{'is' if len(missing) == 1 else 'are'} not on this host, expected all of what it builds on",
        hint="unpack that bundle here first, for these platforms, or a full one (packed without --since)",
    )


def _generations(prefix: Prefix, active: Generation | None) -> Iterator[tuple[Generation, Index]]:
    """Yield the active generation, then the others, the newest first; those that cannot be read are none."""
    if active:
        yield active, active.index()
    numbers = [one for one in _names(prefix.generations) if one.isdecimal()]
    for number in sorted(numbers, key=int, reverse=True):
        folder = prefix.generations / number
        if active and active.folder == folder:
            continue
        try:
            other = read_generation(folder)
            yield other, other.index()
        except BundlerError:
            continue


def _names(folder: Path) -> list[str]:
    try:
        return [one.name for one in folder.iterdir()]
    except OSError:
        return []


def _is_file(file: Path, size: int) -> bool:
    try:
        facts = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size


def _titles(index: Index, missing: set[Digest]) -> str:
    """Name the bundles that have what is missing, each as few times as possible."""
    choices = {one.base for one in index.held if one.sha256 in missing}
    said = [" or ".join(index.base[number].title for number in choice) for choice in sorted(choices)]
    return ", and on ".join(said)
