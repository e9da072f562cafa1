"""What uv is told on a host, and from which uv on: the decision table of the exports.

Measured with uv 0.4.18 to 0.13.8 on Linux; the versions are those that uv's own source gives for each
variable, raised where the measurement said so. Every path lies below PREFIX/current or PREFIX/python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath

from bundler.errors import UsageFault

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One setting: the first uv that obeys the variable, and the first uv that knows the uv.toml key.

    An unknown variable is ignored, so one uv of the bundle that obeys it is enough to export it. An unknown
    key is fatal (exit code 2), so every uv of the bundle must know it.
    """

    name: str
    since: Version
    key: str = ""
    key_since: Version = (0, 0, 0)


RULES = (
    Rule(  # 0.6.13 to 0.7.8 take a bare path only, all later ones take it too
        name="UV_PYTHON_DOWNLOADS_JSON_URL",
        since=(0, 6, 13),
        key="python-downloads-json-url",
        key_since=(0, 7, 3),
    ),
    Rule(  # since 0.2.35, but file:// since 0.4.4
        name="UV_PYTHON_INSTALL_MIRROR", since=(0, 4, 4), key="python-install-mirror", key_since=(0, 5, 2)
    ),
    Rule(name="UV_PYPY_INSTALL_MIRROR", since=(0, 4, 4), key="pypy-install-mirror", key_since=(0, 5, 2)),
    Rule(
        name="UV_GRAALPY_INSTALL_MIRROR",
        since=(0, 12, 24),
        key="graalpy-install-mirror",
        key_since=(0, 12, 24),
    ),
    Rule(name="UV_PYTHON_CACHE_DIR", since=(0, 7, 0)),  # no key in any uv up to 0.13.8
    Rule(name="UV_PYTHON_PREFERENCE", since=(0, 3, 2), key="python-preference", key_since=(0, 3, 2)),
    Rule(name="UV_PYTHON_INSTALL_DIR", since=(0, 2, 22)),  # no key in any uv up to 0.13.8
    Rule(name="UV_OFFLINE", since=(0, 5, 9), key="offline", key_since=(0, 3, 2)),
    Rule(name="PATH", since=(0, 0, 0)),
)
_BY_NAME = {rule.name: rule for rule in RULES}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFacts:
    """What decides the exports: the prefix, the uv versions of the bundle, and what the generation holds."""

    prefix: PurePath
    uv: tuple[str, ...]
    folders: frozenset[str]
    cache_complete: bool
    interpreters_installed: bool
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its variable, its value (for PATH: the folder that goes in front), and why it is there.

    `key` names it in uv.toml; it is empty where uv has no such key, where a uv of the bundle would stop at
    it, or where it would be wrong in a file.
    """

    name: str
    value: str
    reason: str
    key: str = ""


def settings(facts: ExportFacts) -> tuple[Setting, ...]:
    """Return what to tell uv on this host; raises `UsageFault` for a relative prefix.

    A bundle without archives says nothing about downloads, one without uv nothing about PATH.
    """
    prefix = facts.prefix
    if not prefix.is_absolute():
        raise UsageFault(
            f"{prefix}: is relative, expected an absolute prefix", hint="name it from the root on"
        )
    current = prefix / "current"
    versions = [parse_version(one) for one in facts.uv]
    wanted: list[tuple[str, str, str]] = []
    if facts.folders:
        wanted.append(
            (
                "UV_PYTHON_DOWNLOADS_JSON_URL",
                _json_path(current / "download-metadata.json", versions),
                "uv offers exactly the interpreters of the bundle",
            )
        )
    for name, folder in (
        ("UV_PYTHON_INSTALL_MIRROR", "mirror"),
        ("UV_PYPY_INSTALL_MIRROR", "mirror-pypy"),
        ("UV_GRAALPY_INSTALL_MIRROR", "mirror-graalpy"),
    ):
        if folder in facts.folders:
            wanted.append((name, file_url(current / folder), "uv takes these archives from the bundle"))
    if facts.folders and facts.cache_complete:
        wanted.append(
            (
                "UV_PYTHON_CACHE_DIR",
                str(current / "python-cache"),
                "the same archives by digest; serves GraalPy before uv 0.12.24",
            )
        )
    if facts.folders or facts.interpreters_installed:
        wanted.append(("UV_PYTHON_PREFERENCE", "only-managed", "no Python of the system is taken instead"))
    if facts.interpreters_installed:
        wanted.append(
            ("UV_PYTHON_INSTALL_DIR", str(prefix / "python"), "interpreters are installed here for all users")
        )
    if facts.interpreters_installed or facts.offline:
        wanted.append(
            ("UV_OFFLINE", "1", "nothing touches the network; uv installs no interpreter by itself any more")
        )
    if facts.uv:
        wanted.append(("PATH", str(current / "bin"), "`uv` is the one of the bundle"))
    return tuple(
        Setting(name=name, value=value, reason=reason, key=_key(name, facts, versions))
        for name, value, reason in wanted
        if not versions or max(versions) >= _BY_NAME[name].since
    )


def _key(name: str, facts: ExportFacts, versions: list[Version]) -> str:
    rule = _BY_NAME[name]
    if versions and min(versions) < rule.key_since:
        return ""
    if name == "UV_OFFLINE" and not facts.offline:
        # The file cannot say where interpreters are installed: offline on its word alone, uv would find none.
        return ""
    return rule.key


def key_since(key: str) -> Version:
    """Return the first uv that knows this key of uv.toml."""
    return next(rule.key_since for rule in RULES if rule.key == key)


def parse_version(text: str) -> Version:
    """Read the first three numbers of a uv version (`0.13.8`, `0.14.0rc1`); what is missing counts as 0."""
    numbers = [int(one) for one in re.findall(r"\d+", text)[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def show_version(version: Version) -> str:
    """Write a uv version as uv does."""
    return ".".join(map(str, version))


def file_url(path: PurePath) -> str:
    r"""Return the `file://` URL that uv takes for an absolute path.

    Only %, #, ? and \ are escaped: uv 0.6.17 to 0.13.8 take every other printable character as it is,
    blanks and umlauts included (measured), and a cmd script could not hold more escapes than these.
    """
    text = path.as_posix()
    for char in "%#?\\":  # % first, it introduces the others
        text = text.replace(char, f"%{ord(char):02X}")
    if text.startswith("//") and isinstance(path, PureWindowsPath):
        return f"file:{text}"  # \\server\share: the server is the URL's host
    return f"file://{text}" if text.startswith("/") else f"file:///{text}"


def _json_path(path: PurePath, versions: list[Version]) -> str:
    r"""Return the bare path of the metadata: never a URL, which uv 0.6.13 to 0.7.8 refuse.

    Those also read `C:\…` as a URL of the scheme `c`; without its drive the path works from that drive.
    """
    if isinstance(path, PureWindowsPath) and path.drive.endswith(":") and versions:
        oldest = min((one for one in versions if one >= (0, 6, 13)), default=(1, 0, 0))
        if oldest < (0, 7, 9):
            return str(path)[len(path.drive) :]
    return str(path)
