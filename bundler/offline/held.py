"""What a delta builds on, found among the generations of this host (FORMAT.md §16); nothing is written."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError, IncompleteFault
from bundler.offline.generation import read_generation
from bundler.offline.needs import needs_of, spooled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from bundler.core.digest import Digest
    from bundler.core.index import Index
    from bundler.offline.generation import Generation
    from bundler.offline.plan import Plan
    from bundler.offline.prefix import Prefix


def with_held(plan: Plan, index: Index, prefix: Prefix, *, active: Generation | None, name: str) -> Plan:
    """Return the plan with the place of everything that it takes from earlier bundles, and the room it needs.

    What an artifact that is kept would be rebuilt from, should it turn out to have changed, is looked for
    too, and may be absent. Raises `IncompleteFault`, which names the bundle, where this host lacks any of
    the rest.
    """
    needs = needs_of(index, plan.write)
    again = needs_of(index, (one for one, _ in plan.keep)).contents
    found = find_held(needs.held | again, index, prefix, active=active)
    if missing := needs.held - found.keys():
        raise IncompleteFault(
            f"{name}: builds on {_titles(index, missing)}; {counted(len(missing), 'file')} of it "
            f"{'is' if len(missing) == 1 else 'are'} not on this host, expected all of what it builds on",
            hint="unpack that bundle here first, for these platforms, or a full one (packed without --since)",
        )
    whole = {one.path for one in plan.write if not (one.member or one.recipe)}
    return replace(
        plan,
        write=tuple(one for one in plan.write if one.path not in whole),
        keep=(*plan.keep, *((one, found[one.sha256]) for one in plan.write if one.path in whole)),
        held={one: place for one, place in found.items() if one in needs.contents | again},
        spool=spooled(index, needs),
    )


def find_held(
    wanted: Iterable[Digest], index: Index, prefix: Prefix, *, active: Generation | None
) -> dict[Digest, Path]:
    """Return where this host has these artifacts of earlier bundles, as far as it does."""
    sizes = {one.sha256: one.size for one in index.held}
    missing, found = set(wanted), {}
    generations = _generations(prefix, active)
    while missing and (pair := next(generations, None)):
        generation, other = pair
        for artifact in generation.artifacts(other):
            file = generation.folder / artifact.path
            if artifact.sha256 in missing and _is_file(file, sizes[artifact.sha256]):
                found[artifact.sha256] = file
                missing.discard(artifact.sha256)
        del pair, other  # an index takes memory, and the next one comes
    return found


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


def _titles(index: Index, missing: Collection[Digest]) -> str:
    """Name the bundles that have what is missing, each as few times as possible."""
    choices = {one.base for one in index.held if one.sha256 in missing}
    said = [" or ".join(index.base[number].title for number in choice) for choice in sorted(choices)]
    return ", and on ".join(said)
