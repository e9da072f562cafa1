"""`doctor` on what uv is told: variables and configuration files, against the exports of the generation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bundler.offline.findings import export_line, ok, problem, warn
from bundler.offline.settings import RULES, parse_version, show_version
from bundler.offline.uvconfig import is_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bundler.offline.findings import Finding
    from bundler.offline.settings import Setting
    from bundler.offline.uvconfig import ConfigFile

_MAX_JSON = 64 << 20  # bytes of a foreign list that are searched for file:// entries
_MIRRORS = (
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_GRAALPY_INSTALL_MIRROR",
    "UV_PYODIDE_INSTALL_MIRROR",
    "UV_ASTRAL_MIRROR_URL",
)
_MEANT_FOR_ALL = {  # variables that change what uv takes, in every command
    "UV_PYTHON": "uv takes it for every request that names no Python",
    "UV_PYTHON_CPYTHON_BUILD": "uv passes over every archive of another build",
    "UV_PYTHON_PYPY_BUILD": "uv passes over every archive of another build",
    "UV_PYTHON_GRAALPY_BUILD": "uv passes over every archive of another build",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What uv is told here, and what it ought to be told."""

    prefix: Path
    settings: tuple[Setting, ...]
    env: Mapping[str, str]
    configs: tuple[ConfigFile, ...]
    uv: tuple[str, ...]  # every version that may read all this
    installed: bool  # whether uv finds an interpreter that it installed before
    python: str | None  # the key of an interpreter that the bundle has for this host

    def in_file(self, key: str) -> ConfigFile | None:
        """Return the strongest file that says something about a key of uv.toml."""
        return next((one for one in self.configs if key and key in one.values), None)


def check_told(told: Told) -> list[Finding]:
    """Name every variable and key that keeps uv from what the bundle brings."""
    found = [*_variables(told), *_downloads(told), *_offline(told), *_foreign(told), *_cache_dir(told)]
    found += [finding for config in told.configs for finding in _config(told, config)]
    if not found:
        found = [ok(f"variables: {len(told.settings)} exports, nothing contradicts them")]
    return found


def _key(name: str) -> str:
    return next((rule.key for rule in RULES if rule.name == name), "")


def _same(ours: str, theirs: object) -> bool:
    if theirs is True:
        return ours == "1"
    if not isinstance(theirs, str):
        return False
    if ours.startswith("file://"):
        return unquote(ours).rstrip("/") == unquote(theirs).rstrip("/")
    return ours == theirs or (ours == "1" and is_true(theirs))


def _variables(told: Told) -> Iterator[Finding]:
    export, missing = export_line(told.prefix), []
    wanted = [one for one in told.settings if one.name != "PATH"]
    for setting in wanted:
        value, config = told.env.get(setting.name), told.in_file(_key(setting.name))
        if value is not None:
            if not _same(setting.value, value):
                yield problem(f"{setting.name}: is {value!r}, expected {setting.value!r}", fix=export)
        elif config is None:
            missing.append(setting.name)
    if missing:
        yield warn(f"variables: not set: {', '.join(missing)}", fix=export)
        if is_true(told.env.get("UV_NO_CONFIG")):
            yield warn("UV_NO_CONFIG: is set, so no uv.toml can stand for them", fix="unset UV_NO_CONFIG")


def _downloads(told: Told) -> Iterator[Finding]:
    value = told.env.get("UV_PYTHON_DOWNLOADS")
    if value in ("never", "false", "0"):
        yield problem(
            f"UV_PYTHON_DOWNLOADS: is {value!r}, so uv installs no interpreter, not even from the bundle",
            fix="unset UV_PYTHON_DOWNLOADS",
        )
    elif value == "manual":
        yield warn(
            "UV_PYTHON_DOWNLOADS: is 'manual', so only `uv python install` installs interpreters",
            fix="unset UV_PYTHON_DOWNLOADS",
        )
    if is_true(told.env.get("UV_NO_MANAGED_PYTHON")):
        yield problem(
            "UV_NO_MANAGED_PYTHON: is set, so uv takes none of the bundle's interpreters",
            fix="unset UV_NO_MANAGED_PYTHON",
        )


def _offline(told: Told) -> Iterator[Finding]:
    if told.installed:
        return
    fix = f"install one first, `uv python install {told.python}`, or {{}}" if told.python else "{}"
    why = "and no interpreter is installed: uv installs none by itself while it is offline"
    if is_true(told.env.get("UV_OFFLINE")):
        yield problem(f"UV_OFFLINE: is set, {why}", fix=fix.format("unset UV_OFFLINE"))
    config = told.in_file("offline")
    if config and config.values["offline"] is True and "UV_OFFLINE" not in told.env:
        yield problem(f"{config.path}: offline = true, {why}", fix=fix.format("remove the line"))


def _foreign(told: Told) -> Iterator[Finding]:
    expected = {one.name for one in told.settings}
    mirrors = [name for name in _MIRRORS if told.env.get(name)]
    for name in mirrors:
        if name not in expected:
            yield problem(
                f"{name}: is {told.env[name]!r}, expected nothing: it leads uv past the bundle",
                fix=f"unset {name}",
            )
    for name, effect in _MEANT_FOR_ALL.items():
        if told.env.get(name):
            yield warn(f"{name}: is {told.env[name]!r}, {effect}", fix=f"unset {name}, unless that is meant")
    listing = told.env.get("UV_PYTHON_DOWNLOADS_JSON_URL", "")
    if listing and (mirrors or told.in_file("python-install-mirror")) and _names_files(Path(listing)):
        yield problem(
            f"{listing}: lists file:// URLs, which uv refuses beside a mirror",
            fix=f"{export_line(told.prefix)}, or unset the mirror",
        )


def _names_files(listing: Path) -> bool:
    try:
        with listing.open("rb") as stream:
            return b'"file://' in stream.read(_MAX_JSON)
    except (OSError, ValueError):
        return False


def install_folder(env: Mapping[str, str]) -> Path | None:
    """Return where uv installs interpreters: `UV_PYTHON_INSTALL_DIR`, or the person's data folder."""
    if chosen := env.get("UV_PYTHON_INSTALL_DIR"):
        return Path(chosen)
    if os.name == "nt":
        return Path(env["APPDATA"], "uv", "data", "python") if env.get("APPDATA") else None
    if top := env.get("XDG_DATA_HOME"):
        return Path(top, "uv", "python")
    return Path(env["HOME"], ".local", "share", "uv", "python") if env.get("HOME") else None


def _cache_dir(told: Told) -> Iterator[Finding]:
    value, folder = told.env.get("UV_PYTHON_CACHE_DIR"), install_folder(told.env)
    if value == "":
        yield problem(
            "UV_PYTHON_CACHE_DIR: is empty, which uv 0.7.0 to 0.7.16 take for the current folder",
            fix="unset UV_PYTHON_CACHE_DIR",
        )
    elif value and folder and (Path(value) == folder or folder in Path(value).parents):
        yield warn(
            f"UV_PYTHON_CACHE_DIR: {value} lies in {folder}, where uv keeps installed interpreters",
            fix=export_line(told.prefix),
        )


def _config(told: Told, config: ConfigFile) -> Iterator[Finding]:
    if config.fault:
        say = warn if config.is_project else problem
        yield say(
            f"{config.path}: {config.fault}, expected a file that uv can read", fix="correct or remove it"
        )
        return
    expected = {_key(one.name): one for one in told.settings if _key(one.name)}
    for rule in RULES:
        if not rule.key or rule.key not in config.values:
            continue
        value, ours = config.values[rule.key], expected.get(rule.key)
        old = [one for one in told.uv if parse_version(one) < rule.key_since]
        if old:
            say = warn if config.is_project else problem
            yield say(
                f"{config.path}: {rule.key} stops uv {', '.join(old)}, which knows it only since "
                + show_version(rule.key_since),
                fix="remove the line, and export the variables in its place",
            )
        # A variable beats every file, so only what no variable says can contradict.
        if rule.name in told.env or told.in_file(rule.key) is not config or rule.key == "offline":
            continue
        if ours is None or not _same(ours.value, value):
            wanted = repr(ours.value) if ours else "nothing"
            yield problem(
                f"{config.path}: {rule.key} is {value!r}, expected {wanted}",
                fix=f"correct or remove the line; variables are stronger: {export_line(told.prefix)}",
            )
    downloads = config.values.get("python-downloads")
    if downloads in ("never", "manual", False) and "UV_PYTHON_DOWNLOADS" not in told.env:
        say = warn if downloads == "manual" else problem
        yield say(
            f"{config.path}: python-downloads is {downloads!r}, so uv installs nothing by itself",
            fix="remove the line",
        )
