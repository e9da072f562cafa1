"""Settings of pip: what its environment variables and configuration files say, without running pip.

Follows pip's order (pip 25: site-wide files, the user's, the virtual environment's, `PIP_CONFIG_FILE`,
then `PIP_…` variables; the last one wins), so that a machine set up for pip needs no second set-up.
"""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import UsageFault

_SECTIONS = ("install", "global")  # pip lets a command's own section win over the global one


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSetting:
    """One setting of pip and the place that made it: a variable's name or a file's path."""

    value: str
    place: str


def pip_setting(name: str) -> PipSetting | None:
    """Return pip's setting `name` (`index-url`, `cert`), or None; raises `UsageFault` for a broken file.

    `PIP_CONFIG_FILE` set to the null device turns the files off, as it does for pip.
    """
    variable = "PIP_" + name.upper().replace("-", "_")
    if value := os.environ.get(variable, "").strip():
        return PipSetting(value=value, place=variable)
    for path in reversed(config_files()):
        if found := _read(path, name):
            return found
    return None


def config_files() -> list[Path]:
    """Return where pip's configuration may lie on this machine; a later file wins over an earlier one."""
    chosen = os.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home raises where there is no home)
    paths = [*_site_wide(name), *_of_user(name, home), Path(sys.prefix) / name]
    return [*paths, Path(chosen).expanduser()] if chosen else paths


def _site_wide(name: str) -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / name]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support/pip") / name]
    folders = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(Path(folder) / "pip" / name for folder in folders.split(":") if folder), Path("/etc") / name]


def _of_user(name: str, home: Path) -> list[Path]:
    if sys.platform == "win32":
        return [home / "pip" / name, Path(os.environ.get("APPDATA", home)) / "pip" / name]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    if sys.platform == "darwin" and (home / "Library/Application Support/pip").is_dir():
        config = home / "Library/Application Support"
    return [home / ".pip" / name, config / "pip" / name]


def _read(path: Path, name: str) -> PipSetting | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageFault(
            f"{path}: pip's configuration cannot be read: {reason}",
            hint="correct the file, or set PIP_CONFIG_FILE to another one",
        ) from None
    for section in _SECTIONS:
        for key in (name, name.replace("-", "_")):
            if value := parser.get(section, key, fallback="").strip():
                return PipSetting(value=value, place=str(path))
    return None
