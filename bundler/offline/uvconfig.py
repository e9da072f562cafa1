"""The configuration files that uv would read here, found and read as uv 0.13.8 does.

Only plain keys are of interest. Python 3.10 has no TOML reader and the offline side takes no dependency for
one, so there a line reader stands in: it reads `key = "text"` and `key = true` of the right table.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUE = ("y", "yes", "t", "true", "on", "1")  # uv 0.13.8, uv-static: boolish variables
_MAX_BYTES = 4 << 20
_LINE = re.compile(
    r"""\s*(?P<key>[A-Za-z0-9_-]+)\s*=\s*
    (?:"(?P<basic>(?:[^"\\]|\\.)*)"|'(?P<literal>[^']*)'|(?P<flag>true|false))\s*(?:\#.*)?""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfr"\\])')
_PLAIN = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One file that uv reads: where it is, its keys of uv, or why it cannot be read."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    @property
    def is_project(self) -> bool:
        """Whether it is a `pyproject.toml`, in which uv forgives keys that it does not know."""
        return self.path.name == "pyproject.toml"


def is_true(text: str | None) -> bool:
    """Read a variable as uv reads its switches."""
    return text is not None and text.lower() in _TRUE


def find_configs(*, env: Mapping[str, str], cwd: Path, etc: Path = Path("/etc")) -> list[ConfigFile]:
    """Return the files that uv would read in `cwd`, the strongest first.

    `UV_CONFIG_FILE` takes the place of all others, and `UV_NO_CONFIG` switches them off.
    """
    if chosen := env.get("UV_CONFIG_FILE"):
        return [_read(cwd / chosen)]
    if is_true(env.get("UV_NO_CONFIG")):
        return []
    found = [*_project(cwd)]
    found += [_read(one) for one in (_user(env),) if one and one.is_file()]
    if not is_true(env.get("UV_NO_SYSTEM_CONFIG")):
        found += [_read(one) for one in _system(env, etc) if one.is_file()][:1]
    return found


def _project(cwd: Path) -> Iterator[ConfigFile]:
    for folder in (cwd, *cwd.parents):
        if (folder / "uv.toml").is_file():
            yield _read(folder / "uv.toml")
            return
        if (folder / "pyproject.toml").is_file():
            config = _read(folder / "pyproject.toml")
            if config.values or config.fault:
                yield config
                return


def _user(env: Mapping[str, str]) -> Path | None:
    if os.name == "nt":
        return Path(env["APPDATA"], "uv", "uv.toml") if env.get("APPDATA") else None
    if top := env.get("XDG_CONFIG_HOME"):
        return Path(top, "uv", "uv.toml")
    return Path(env["HOME"], ".config", "uv", "uv.toml") if env.get("HOME") else None


def _system(env: Mapping[str, str], etc: Path) -> list[Path]:
    if os.name == "nt":
        return [Path(env.get("SYSTEMDRIVE", "C:") + "\\", "ProgramData", "uv", "uv.toml")]
    folders = [Path(one) for one in env.get("XDG_CONFIG_DIRS", "").split(":") if one] or [etc / "xdg"]
    return [*(one / "uv" / "uv.toml" for one in folders), etc / "uv" / "uv.toml"]


def _read(path: Path) -> ConfigFile:
    table = ("tool", "uv") if path.name == "pyproject.toml" else ()
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_BYTES).decode("utf-8")
    except OSError as error:
        return ConfigFile(path=path, fault=error.strerror or str(error))
    except UnicodeDecodeError:
        return ConfigFile(path=path, fault="is not UTF-8")
    if sys.version_info >= (3, 11):
        import tomllib

        try:
            found: Any = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            return ConfigFile(path=path, fault=f"is not TOML: {error}")
        for part in table:
            found = found.get(part, {}) if isinstance(found, dict) else {}
        return ConfigFile(path=path, values=found if isinstance(found, dict) else {})
    return ConfigFile(path=path, values=read_lines(text, table=".".join(table)))


def read_lines(text: str, *, table: str) -> dict[str, str | bool]:
    """Return the strings and truth values of one table ("" is the top), without understanding the rest.

    A text that goes over several lines is passed over, so that its content is not taken for keys.
    """
    values: dict[str, str | bool] = {}
    at, ends = "", ""
    for line in text.splitlines():
        if ends:
            ends = "" if ends in line else ends
            continue
        ends = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")
        if header := re.fullmatch(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?", line):
            at = re.sub(r"[\s\"']", "", header[1])
        elif at == table and (found := _LINE.fullmatch(line)):
            values[found["key"]] = _value(found)
    return values


def _value(found: re.Match[str]) -> str | bool:
    if found["flag"]:
        return found["flag"] == "true"
    if found["literal"] is not None:
        return found["literal"]
    return _ESCAPE.sub(lambda one: _PLAIN.get(one[1]) or _char(one[1]), found["basic"])


def _char(escape: str) -> str:
    number = int(escape[1:], 16)
    return chr(number) if number <= sys.maxunicode else "\ufffd"
