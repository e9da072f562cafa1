"""Which file of the earlier bundles a new one resembles most (FORMAT.md §16)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundler.core.index import Artifact, Content

_KEY: Final = re.compile(r"([a-z]+)-(\d+)\.(\d+)\.(\d+)([a-z]+\d+)?(?:\+([a-z0-9+]+))?-")
_INFLATABLE: Final = (".tar.gz", ".tgz")  # what hosts can inflate, and so what can be copied from
_NUMBER: Final = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Python:
    """What an installation key says: `cpython-3.13.5+freethreaded-linux-x86_64-gnu`."""

    name: str
    major: int
    minor: int
    patch: int
    variant: str


def nearest_of(one: Content, earlier: Iterable[Artifact]) -> Artifact | None:
    """Return the file of `earlier` to encode `one` against, or None where none is alike; later ones win ties.

    For an archive that is one of the same platform and implementation: of its variant where there is one,
    then of the nearest minor version, then of the nearest patch release. For a program of uv it is the same
    program of the nearest version.
    """
    alike = [other for other in earlier if (other.role, other.platform) == (one.role, one.platform)]
    if one.role == "uv":
        name = PurePosixPath(one.path).name
        ranked = [
            (_apart(one.uv, other.uv), place, other)
            for place, other in enumerate(alike)
            if PurePosixPath(other.path).name == name
        ]
        return min(ranked, key=lambda rank: (rank[0], -rank[1]))[2] if ranked else None
    wanted = _python(one)
    near = []
    for place, other in enumerate(alike):
        found = _python(other)
        if wanted and found and (wanted.name, wanted.major) == (found.name, found.major):
            minors, patches = abs(wanted.minor - found.minor), abs(wanted.patch - found.patch)
            # Of another minor version the last patch release has the most of what came after it.
            apart = (wanted.variant != found.variant, minors, -found.patch if minors else patches, -place)
            near.append((apart, other))
    return min(near, key=lambda rank: rank[0])[1] if near else None


def _python(one: Content) -> _Python | None:
    key = _KEY.match(one.key or "")
    if one.role != "archive" or key is None or not one.path.endswith(_INFLATABLE):
        return None
    return _Python(name=key[1], major=int(key[2]), minor=int(key[3]), patch=int(key[4]), variant=key[6] or "")


def _apart(one: str | None, other: str | None) -> list[int]:
    """Return how far two versions are apart, number by number."""
    numbers = [[int(number) for number in _NUMBER.findall(text or "")] for text in (one, other)]
    length = max(map(len, numbers))
    first, second = (found + [0] * (length - len(found)) for found in numbers)
    return [abs(left - right) for left, right in zip(first, second, strict=True)]
