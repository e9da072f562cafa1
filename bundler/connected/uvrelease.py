"""Releases of uv at a package index: versions, their sdist, and the wheel that fits a platform.

Wheels carry uv's binaries, the sdist carries the list of Pythons of exactly that version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from bundler.core.platforms import COMMON, Platform
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundler.connected.packageindex import IndexFile

PROJECT = "uv"
_ARCH = {"x86": "i686", "armv7": "armv7l", "powerpc64le": "ppc64le"}  # uv's name : the one in wheel tags
_WINDOWS = {"x86": "win32", "x86_64": "win_amd64", "aarch64": "win_arm64"}
_LINUX_TAG = {  # soft-float ARM has no place here: uv's ARMv7 wheels are all hard-float
    "gnu": "manylinux",
    "gnueabihf": "manylinux",
    "musl": "musllinux",
    "musleabihf": "musllinux",
}
_OLD_TAGS = {
    "manylinux1": "manylinux_2_5",
    "manylinux2010": "manylinux_2_12",
    "manylinux2014": "manylinux_2_17",
}
_Score = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UvRelease:
    """One version of uv: its files at the index, and whether its authors have withdrawn it (PEP 592)."""

    version: Version
    sdist: IndexFile | None
    wheels: tuple[IndexFile, ...]
    yanked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelChoice:
    """The wheel for a platform; `static` tells that a musl build stands in for a missing glibc one."""

    file: IndexFile
    static: bool


def read_releases(files: Iterable[IndexFile]) -> dict[Version, UvRelease]:
    """Return uv's releases by version; files that are neither wheel nor sdist of uv are passed over."""
    sdists: dict[Version, IndexFile] = {}
    wheels: dict[Version, list[IndexFile]] = {}
    for file in files:
        try:
            if file.name.endswith(".whl"):
                name, version, _, _ = parse_wheel_filename(file.name)
                if name == PROJECT:
                    wheels.setdefault(version, []).append(file)
            else:
                name, version = parse_sdist_filename(file.name)
                if name == PROJECT:
                    sdists.setdefault(version, file)
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            continue
    return {
        version: UvRelease(
            version=version,
            sdist=sdists.get(version),
            wheels=tuple(wheels.get(version, ())),
            yanked=all(file.yanked for file in (*wheels.get(version, ()), *_some(sdists.get(version)))),
        )
        for version in sorted({*sdists, *wheels})
    }


def _some(file: IndexFile | None) -> tuple[IndexFile, ...]:
    return (file,) if file else ()


def latest(releases: dict[Version, UvRelease]) -> UvRelease:
    """Return the newest release that is stable, not withdrawn, and has an sdist and wheels."""
    good = [
        version
        for version, release in releases.items()
        if not version.is_prerelease and not release.yanked and release.sdist and release.wheels
    ]
    if not good:
        raise UsageFault(
            "uv latest: the index has no stable version with both an sdist and wheels",
            hint="name an exact version that the index has, or another index with --index",
        )
    return releases[max(good)]


def exact(releases: dict[Version, UvRelease], version: str) -> UvRelease:
    """Return the release `version`; raises `UsageFault` that names the versions next to it."""
    wanted = Version(version)
    if wanted in releases:
        return releases[wanted]
    older = [known for known in releases if known < wanted][-2:]
    newer = [known for known in releases if known > wanted][:2]
    near = ", ".join(map(str, (*older, *newer)))
    raise UsageFault(f"uv {version}: the index has no such version", hint=f"it has {near}" if near else None)


def choose_wheel(release: UvRelease, platform: Platform) -> WheelChoice:
    """Return the wheel of `release` for `platform` that runs on the oldest systems.

    A musl system takes musllinux wheels alone; a glibc system manylinux ones, or a musllinux one,
    because those of uv are linked statically. Raises `UsageFault` that lists the platforms with a wheel.
    """
    if found := _best(release, platform):
        return found
    having = [name for name in COMMON if _best(release, Platform.parse(name))]
    raise UsageFault(
        f"uv {release.version}: there is no wheel for {platform}",
        hint=f"there are wheels for {', '.join(having)}" if having else "the index has none of its wheels",
    )


def _best(release: UvRelease, platform: Platform) -> WheelChoice | None:
    scored = [(score, file) for file in release.wheels if (score := _score(file, platform))]
    if not scored:
        return None
    score, file = min(scored, key=lambda pair: (pair[0], pair[1].name))
    return WheelChoice(file=file, static=score[0] > 0)


def _score(file: IndexFile, platform: Platform) -> _Score | None:
    """Return how well a wheel fits, smaller is better; None where it does not run there at all.

    The parts: whether it is a stand-in, the oldest system version that it needs, how many tags it has.
    """
    tags = {tag.platform for tag in parse_wheel_filename(file.name)[3]}
    scores = [score for tag in tags if (score := _score_tag(tag, platform))]
    return (*min(scores), len(tags)) if scores else None


def _score_tag(tag: str, platform: Platform) -> tuple[int, int, int] | None:
    arch = _ARCH.get(platform.family, platform.family)
    if platform.os == "windows":
        return (0, 0, 0) if tag == _WINDOWS.get(platform.family) else None
    if platform.os == "macos":
        arch = "arm64" if arch == "aarch64" else arch
        match = re.fullmatch(rf"macosx_(\d+)_(\d+)_(?:{arch}|universal2)", tag)
        return (0, int(match[1]), int(match[2])) if match else None
    for old, new in _OLD_TAGS.items():
        tag = tag.replace(f"{old}_", f"{new}_")
    match = re.fullmatch(rf"(manylinux|musllinux)_(\d+)_(\d+)_{arch}", tag)
    wanted = _LINUX_TAG.get(platform.libc)
    if not match or not wanted or (wanted == "musllinux" and match[1] != wanted):
        return None
    return int(match[1] != wanted), int(match[2]), int(match[3])
