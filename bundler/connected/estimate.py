"""How large a bundle will be, before anything is fetched: from sizes, versions and what earlier bundles have.

The fractions were measured on archives that python-build-standalone's own steps made (README, "Speed"); real
ones differ, and an encoder that is not recognised is known only when its archive is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundler.core.platforms import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A file that the bundle will have: `series` is its implementation, variant and minor version.

    Without a series it is a wheel of uv. `size` is in bytes; `known` says what an earlier bundle has: the
    file itself (`unchanged`), one of the same series (`against`), or of another one (`other`), or nothing.
    """

    file: str
    size: int
    platform: Platform
    series: str | None
    known: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fractions:
    """What is stored of an archive, by what stands beside it, or what hosts have; and of uv's wheel."""

    first: float
    minor: float
    patch: float
    against: float
    other: float
    wheel: float
    newer_wheel: float


_LEVELS: Final = ("fast", "default", "best")
_MEASURED: Final = {
    "first": (0.77, 0.71, 0.55),
    "minor": (0.30, 0.28, 0.20),
    "patch": (0.23, 0.23, 0.14),
    "against": (0.18, 0.17, 0.14),
    "other": (0.40, 0.37, 0.32),
    "wheel": (0.92, 0.81, 0.71),
    "newer_wheel": (0.32, 0.29, 0.24),
}
_INFLATED: Final = 2.3  # programs of uv 0.13.8 for Linux, to what zlib at level 6 makes of them
FRACTIONS: Final = {
    level: _Fractions(**{name: values[place] for name, values in _MEASURED.items()})
    for place, level in enumerate(_LEVELS)
}


def estimate(carried: Iterable[Carried], *, level: str | None) -> int:
    """Return how many bytes the bundle will have, within a tenth or two where everything is recognised.

    Without a level archives are carried as they are, and the programs of a wheel inflated.
    """
    if level is None:
        return round(sum(one.size * (1 if one.series else _INFLATED) for one in carried))
    fractions, total = FRACTIONS[level], 0.0
    platforms: set[Platform] = set()
    series: set[tuple[Platform, str]] = set()
    for one in carried:
        total += one.size * _fraction(one, fractions, platforms, series)
        if one.series and one.known != "unchanged" and _is_recompressed(one):
            platforms.add(one.platform)
            series.add((one.platform, one.series))
    return round(total)


def exception(file: str, platform: Platform) -> str:
    """Say why an archive may not be recompressed, as far as its name and platform tell; else nothing."""
    if not file.endswith((".tar.gz", ".tgz", ".zip")):
        return f"as it is: uv-bundler has no encoder for {file[file.rfind('.') :]}"
    if platform.os == "windows":
        return "as it is if zlib-rs wrote it, for which Windows has no fast encoder"
    return ""


def _fraction(
    one: Carried, fractions: _Fractions, platforms: set[Platform], series: set[tuple[Platform, str]]
) -> float:
    if one.series is None:
        found = {"": fractions.wheel, "unchanged": 0.0}.get(one.known, fractions.newer_wheel)
    elif one.known == "unchanged":
        found = 0.0
    elif not _is_recompressed(one):
        found = 1.0
    elif one.known == "against":
        found = fractions.against
    elif (one.platform, one.series) in series:
        found = fractions.patch
    elif one.known == "other":
        found = fractions.other
    else:
        found = fractions.minor if one.platform in platforms else fractions.first
    return found


def _is_recompressed(one: Carried) -> bool:
    """Tell whether that may be expected: of what zlib-rs wrote for Windows it may not."""
    return one.file.endswith((".tar.gz", ".tgz")) and one.platform.os != "windows"
