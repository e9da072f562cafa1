"""Requests for a Python in uv's own syntax: `3.13t`, `pypy@3.11`, `>=3.11,<3.14`, whole installation keys.

Follows `PythonRequest::parse` and `PythonDownloadRequest` of uv 0.13.8 (crates/uv-python-types) for
everything that names a download; paths and names of programs, which uv takes too, are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from bundler.core.fault import Fault
from bundler.core.platforms import Platform

if TYPE_CHECKING:
    from bundler.core.metadata import Row

_IMPLEMENTATIONS = {
    "cpython": "cpython",
    "cp": "cpython",
    "pypy": "pypy",
    "pp": "pypy",
    "graalpy": "graalpy",
    "gp": "graalpy",
}
_VARIANTS = {
    "t": "freethreaded",
    "freethreaded": "freethreaded",
    "d": "debug",
    "debug": "debug",
    "td": "freethreaded+debug",
    "freethreaded+debug": "freethreaded+debug",
    "gil": "gil",
    "gil+debug": "gil+debug",
}
_EXAMPLES = "write it as uv does: 3.13, 3.12.7, 3.13t, pypy3.11, '>=3.11,<3.14' or a whole installation key"
_MAX_CHARS = 200
_MAX_PART = 255  # uv keeps each number of a version in one byte


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRequest:
    """What a person asks for; an empty field means that the request does not say."""

    implementation: str = ""
    release: tuple[int, ...] = ()  # at most major, minor, patch
    prerelease: str = ""  # a1, b2, rc3; only with a major and a minor
    specifiers: str = ""  # a PEP 440 range, in place of a release
    variant: str = ""
    os: str = ""
    arch: str = ""
    libc: str = ""
    any: bool = False

    @classmethod
    def parse(cls, text: str) -> PythonRequest:
        """Read a request; raises `Fault`, with examples or the likely meaning as its hint."""
        if len(text) > _MAX_CHARS:
            raise Fault(f"expected a Python request, found {len(text)} characters", hint=_EXAMPLES)
        lowered = text.strip().lower()
        if lowered in ("any", "default"):
            return cls(any=lowered == "any")
        if "@" in lowered:
            return _parse_with_at(text, lowered)
        for prefix in ("python", "", *_IMPLEMENTATIONS):
            if not lowered.startswith(prefix):
                continue
            implementation, rest = _IMPLEMENTATIONS.get(prefix, ""), lowered[len(prefix) :]
            if not rest and implementation:
                return cls(implementation=implementation)
            if rest and (read := _parse_version(rest, implementation)):
                return read
        return _parse_key(text, lowered)

    def __str__(self) -> str:
        """Write the request the way uv writes it back; `parse` reads the same request from it."""
        if self.any:
            return "any"
        version = self.specifiers or ".".join(map(str, self.release)) + self.prerelease
        version += f"+{self.variant}" if self.variant else ""
        if self.os or self.arch or self.libc:
            parts = (self.implementation, version, self.os, self.arch, self.libc)
            return "-".join(part or "any" for part in parts)
        if self.implementation:
            return f"{self.implementation}@{version}" if version else self.implementation
        return version or "default"

    @property
    def allows_prereleases(self) -> bool:
        """Tell whether pre-releases are meant as well; else they only stand in where nothing is stable."""
        if self.specifiers:
            return any(
                Version(item.version.removesuffix(".*")).is_prerelease for item in _range(self.specifiers)
            )
        return self.any or bool(self.prerelease)

    @property
    def names_platform(self) -> bool:
        """Tell whether the request itself says for which platform it is."""
        return bool(self.os or self.arch or self.libc)

    def suits(self, platform: Platform) -> bool:
        """Tell whether a file for `platform` is what the request means, as far as it says."""
        wanted = (self.os, self.arch, self.libc)
        return all(
            not want or want == have
            for want, have in zip(wanted, (platform.os, platform.arch, platform.libc), strict=True)
        )

    def matches(self, row: Row, *, prereleases: bool | None = None) -> bool:
        """Tell whether uv would take `row`; `prereleases` overrules `allows_prereleases`.

        Without an implementation CPython is meant, without a variant the default build: uv fills in
        the same before it downloads.
        """
        allowed = self.allows_prereleases if prereleases is None else prereleases
        return (
            row.name == (self.implementation or "cpython")
            and row.variant == self.variant
            and self.suits(row.platform)
            and (allowed or not row.prerelease)
            and self._takes(row)
        )

    def _takes(self, row: Row) -> bool:
        if self.specifiers:
            return _range(self.specifiers).contains(_version(row.version_text), prereleases=True)
        if self.prerelease:
            return (*self.release, 0)[:3] == row.version and self.prerelease == row.prerelease
        if len(self.release) == 3 and row.prerelease:
            return False  # a whole version means the stable release
        return row.version[: len(self.release)] == self.release


@lru_cache(maxsize=256)
def _range(text: str) -> SpecifierSet:
    return SpecifierSet(text)


@lru_cache(maxsize=16384)
def _version(text: str) -> Version:
    return Version(text)


def version_order(row: Row) -> Version:
    """Return the value by which rows sort from old to new: pre-releases before their release."""
    return _version(row.version_text)


def _parse_with_at(text: str, lowered: str) -> PythonRequest:
    name, _, rest = lowered.partition("@")
    if name != "python" and name not in _IMPLEMENTATIONS:
        raise Fault(f"expected cpython, pypy or graalpy before the @, found {text!r}", hint=_EXAMPLES)
    if rest == "latest":
        raise Fault(f"expected a version after the @, found {text!r}", hint=f"write {name!r} for the newest")
    read = _parse_version(rest, _IMPLEMENTATIONS.get(name, "")) if rest else None
    if read is None:
        raise Fault(f"expected a version after the @, found {text!r}", hint=_EXAMPLES)
    return read


def _parse_version(text: str, implementation: str = "") -> PythonRequest | None:
    text, variant = _split_variant(text)
    try:
        version = Version(text)
    except InvalidVersion:
        return _parse_range(text, variant, implementation)
    release = version.release
    if len(release) == 1 and release[0] > 9:  # `312`, as in the tags of wheels, is 3.12
        digits = str(release[0])
        release = (int(digits[0]), int(digits[1:]))
    prerelease = "".join(map(str, version.pre or ()))
    if version.post is not None or version.dev is not None or version.local or version.epoch:
        return None
    if len(release) > 3 or max(release) > _MAX_PART or (prerelease and len(release) == 1):
        return None
    if prerelease and len(release) == 3 and release[2] == 0:
        release = release[:2]  # uv has one form for 3.14rc1 and 3.14.0rc1
    return PythonRequest(
        implementation=implementation, release=release, prerelease=prerelease, variant=variant
    )


def _split_variant(text: str) -> tuple[str, str]:
    last = max((at for at, char in enumerate(text) if char in "0123456789"), default=len(text) - 1)
    variant = text[last + 1 :].removeprefix("+")
    return (text[: last + 1], _VARIANTS[variant]) if variant in _VARIANTS else (text, "")


def _parse_range(text: str, variant: str, implementation: str) -> PythonRequest | None:
    try:
        items = [SpecifierSet(part) for part in text.split(",")]
        operators = [
            (item.operator, Version(item.version.removesuffix(".*"))) for part in items for item in part
        ]
    except (InvalidSpecifier, InvalidVersion):
        return None
    if len(operators) != len(items):
        return None  # nothing between two commas
    specifiers = ",".join(str(item) for item in items)
    if len(operators) == 1 and operators[0][0] == "==" and not specifiers.endswith(".*"):
        exact = str(operators[0][1])
        if variant:  # uv 0.13.8 forgets the variant here and takes the default build
            raise Fault(
                f"expected a version without ==, found {specifiers + '+' + variant!r}",
                hint=f"write '{exact}+{variant}'",
            )
        return _parse_version(exact, implementation)
    return PythonRequest(implementation=implementation, specifiers=specifiers, variant=variant)


def _parse_key(text: str, lowered: str) -> PythonRequest:
    """Read `cpython-3.12.7-linux-x86_64-gnu`; each part may be `any` or left out (uv's `FromStr`)."""
    found: dict[str, str] = {}
    request = PythonRequest()
    readers = ("implementation", "version", "os", "arch", "libc")
    at = 0
    parts = lowered.split("-")
    for part in parts:
        while at < len(readers):
            reader, at = readers[at], at + 1
            if part == "any":
                break
            if reader == "implementation" and part in _IMPLEMENTATIONS:
                found[reader] = _IMPLEMENTATIONS[part]
                break
            if reader == "version" and (read := _parse_version(part)):
                request = read
                break
            if value := _platform_part(reader, part):
                found[reader] = value
                break
        else:
            raise _not_understood(text, lowered)
    return PythonRequest(
        implementation=found.get("implementation", ""),
        release=request.release,
        prerelease=request.prerelease,
        specifiers=request.specifiers,
        variant=request.variant,
        os=found.get("os", ""),
        arch=found.get("arch", ""),
        libc=found.get("libc", ""),
    )


def _platform_part(which: str, part: str) -> str:
    """Return uv's name of one part of a platform, or nothing where it is none that we know."""
    name = {
        "os": f"{part}-x86_64-{'gnu' if part == 'linux' else 'none'}",
        "arch": f"linux-{part}-gnu",
        "libc": f"macos-x86_64-{part}" if part == "none" else f"linux-x86_64-{part}",
    }.get(which, "")
    try:
        platform = Platform.parse(name)
    except Fault:
        return ""
    return {"os": platform.os, "arch": platform.arch, "libc": platform.libc}[which]


def _not_understood(text: str, lowered: str) -> Fault:
    hint = _EXAMPLES
    if "pyodide" in lowered or "emscripten" in lowered:
        hint = "uv's list has no sha256 for Pyodide, so a bundle cannot carry it"
    elif "/" in text or "\\" in text or lowered.endswith(".exe"):
        hint = "a Python that is installed here goes under `builds:` as `path:`"
    elif lowered in ("latest", "newest", "stable", "python"):
        hint = "write 'default' for the newest stable CPython, or name a version"
    elif match := re.fullmatch(r"(.*\d)dt", lowered):
        hint = f"write {match[1] + 'td'!r} for a free-threaded debug build"
    elif match := re.fullmatch(r"(?:py(?:thon)?)?[ ]?(\d[\d.]*?)\.?[x*]", lowered):
        hint = f"write {match[1]!r} for the newest of it"
    return Fault(f"expected a Python request, found {text!r}", hint=hint)
