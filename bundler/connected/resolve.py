"""From wishes to rows: which Pythons of uv's list a manifest means, platform by platform.

As uv does, a request takes the newest stable version that it matches, and a pre-release only where it
asks for one or nothing is stable. `patches: N` takes the newest N patches of that minor version. A range
(`>=3.11,<3.14`) means each minor version in it, with the newest N patches of each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.connected.nearmisses import near_misses
from bundler.connected.pyrequest import PythonRequest, version_order
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bundler.connected.manifest import PythonWish
    from bundler.core.digest import Digest
    from bundler.core.metadata import Row
    from bundler.core.platforms import Platform
    from bundler.core.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A row with its sha256, and the requests of the manifest that led to it."""

    row: Row
    requests: tuple[str, ...]


def resolve(
    wishes: Sequence[PythonWish],
    *,
    platforms: Sequence[Platform],
    rows: Iterable[Row],
    own: Sequence[Row],
    place: str,
    uv: str,
    progress: Progress,
    elsewhere: Callable[[], Iterable[tuple[str, Sequence[Row]]]] = tuple,
) -> tuple[Choice, ...]:
    """Return what the wishes mean in the list `rows` of uv version `uv`, each row once, in a fixed order.

    `own` are the rows of own builds: each stands in the list in place of uv's row with its key, and is
    not among the choices. `place` names the manifest in messages. `elsewhere` gives the lists of other
    versions of uv, asked only to explain a failure. Raises `UsageFault`, with near misses as its hint.
    """
    listed = {row.key: row for row in rows} | {row.key: row for row in own}
    by_platform: dict[Platform, list[Row]] = defaultdict(list)
    for row in listed.values():
        by_platform[row.platform].append(row)
    own_keys = {row.key for row in own}
    chosen: dict[str, Row] = {}
    requests: dict[str, list[str]] = defaultdict(list)
    # Wishes that pin a digest come first, so that another wish for the same row finds it pinned.
    for number, wish in sorted(enumerate(wishes), key=lambda pair: pair[1].sha256 is None):
        request, at = PythonRequest.parse(wish.request), f"{place}: pythons[{number}]: {wish.request}"
        missing: list[Platform] = []
        early: dict[str, list[str]] = defaultdict(list)
        for platform in filter(request.suits, platforms):
            found = choose(request, by_platform[platform], patches=wish.patches)
            if not found:
                missing.append(platform)
            elif found[0].prerelease and not request.allows_prereleases:
                early[found[0].version_text].append(str(platform))
            for row in found:
                if row.key not in own_keys:
                    chosen[row.key] = _pinned(chosen.get(row.key, row), wish.sha256, at)
                    requests[row.key].append(wish.request)
        for version, names in early.items():
            progress.note(f"{wish.request}: nothing stable for {', '.join(names)}, taking {version}")
        if missing:
            raise UsageFault(
                f"{at}: uv {uv} knows no such Python for {', '.join(map(str, missing))}",
                hint=near_misses(request, missing[0], list(listed.values()), elsewhere),
            )
    order = sorted(chosen.values(), key=lambda row: (row.name, version_order(row), row.variant, row.platform))
    return tuple(Choice(row=row, requests=tuple(sorted(requests[row.key]))) for row in order)


def choose(request: PythonRequest, rows: Iterable[Row], *, patches: int) -> list[Row]:
    """Return the rows of one platform that a request means, the newest first; empty where there are none."""
    rows = list(rows)
    found = sorted((row for row in rows if request.matches(row)), key=version_order, reverse=True)
    if not found:
        early = (row for row in rows if request.matches(row, prereleases=True))
        return sorted(early, key=version_order, reverse=True)[:1]
    minors: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in found:
        minors[row.version[:2]].append(row)
    groups = list(minors.values()) if request.specifiers else [minors[found[0].version[:2]]]
    return [row for group in groups for row in group[:patches]]


def _pinned(row: Row, sha256: Digest | None, at: str) -> Row:
    if sha256 is None and row.sha256 is None:
        raise UsageFault(
            f"{at}: uv's list has no sha256 for {row.key}, so nobody could tell whether it is the right file",
            hint=f"pin it: {{request: {row.key}, sha256: …}}, or ask for another version",
        )
    if sha256 and row.sha256 and sha256 != row.sha256:
        raise UsageFault(
            f"{at}: the manifest pins the sha256 {sha256}, but uv's list says {row.sha256} for {row.key}",
            hint="leave the pin out, or find out who is right",
        )
    return replace(row, sha256=sha256 or row.sha256)
