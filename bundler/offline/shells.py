"""Settings written for a shell or a file, each value quoted so that it arrives as it is.

Every statement is one line and nothing else is printed for shells, so `eval "$(…)"` is safe: no comments
either, because an interactive zsh takes `#` for a command. Output for PowerShell and cmd is ASCII, because
what they read from a program depends on code pages. A value that a form cannot say is a `HostFault`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING

from bundler.core.fault import nearest
from bundler.errors import HostFault, UsageFault
from bundler.offline.settings import key_since, show_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundler.offline.settings import Setting

_WINDOWS_PATH = re.compile(r"[A-Za-z]:|\\\\")
_POWERSHELL_PLAIN = re.compile(r"[ -~]+")


def detect_shell(env: Mapping[str, str], *, windows: bool = os.name == "nt") -> str:
    """Return the form for the person's shell: `powershell` on Windows, else what $SHELL names, else `sh`."""
    if windows:
        return "powershell"
    name = PurePath(env.get("SHELL", "")).name
    return {"fish": "fish", "pwsh": "powershell"}.get(name, "sh")


def render(settings: tuple[Setting, ...], *, shell: str) -> str:
    """Return the lines that make `shell` (one of `SHELLS`) obey the settings, each ended by a line feed.

    Raises `UsageFault` for an unknown shell, and `HostFault` where the form cannot say a value: control
    characters and undecodable bytes nowhere, a separator of PATH in PATH, some characters in cmd.
    """
    if shell not in _FORMS:
        near = nearest(shell, SHELLS)
        raise UsageFault(
            f"--shell: expected one of {', '.join(SHELLS)}; found {shell!r}",
            hint=f"did you mean {near!r}?" if near else None,
        )
    for setting in settings:
        _refuse(setting, shell, "a control character or an undecodable byte", _is_unprintable)
    return "".join(f"{line}\n" for line in _FORMS[shell](settings))


def _refuse(setting: Setting, shell: str, what: str, test: Callable[[str], bool]) -> None:
    if any(test(char) for char in setting.value):
        raise HostFault(
            f"{setting.name}: {setting.value!r} holds {what}, which the form {shell!r} cannot say",
            hint="choose another --prefix, or another --shell",
        )


def _is_unprintable(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")


def _refuse_separator(setting: Setting, shell: str, separator: str) -> None:
    _refuse(setting, shell, f"{separator!r}, which ends an entry of PATH", lambda char: char == separator)


def _sh(settings: tuple[Setting, ...]) -> list[str]:
    lines = []
    for setting in settings:
        quoted = "'" + setting.value.replace("'", "'\\''") + "'"
        if setting.name == "PATH":
            _refuse_separator(setting, "sh", ":")
            quoted += '"${PATH:+:$PATH}"'  # no empty entry: that would be the current folder
        lines.append(f"export {setting.name}={quoted}")
    return lines


def _fish(settings: tuple[Setting, ...]) -> list[str]:
    lines = []
    for setting in settings:
        quoted = "'" + setting.value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        if setting.name == "PATH":
            _refuse_separator(setting, "fish", ":")
            quoted += " $PATH"
        lines.append(f"set -gx {setting.name} {quoted}")
    return lines


def _powershell(settings: tuple[Setting, ...]) -> list[str]:
    lines = []
    for setting in settings:
        quoted = _powershell_text(setting.value)
        if setting.name == "PATH":
            _refuse_separator(setting, "powershell", ";" if _WINDOWS_PATH.match(setting.value) else ":")
            quoted += " + [System.IO.Path]::PathSeparator + $env:PATH"
        lines.append(f"$env:{setting.name} = {quoted}")
    return lines


def _powershell_text(text: str) -> str:
    """Write a string as ASCII: quoted runs, and UTF-16 units as `[char]0x00F6`, joined with +.

    Windows PowerShell 5.1 has no escape for these, and takes four kinds of curly quotes for its own.
    """
    parts = []
    for run in re.findall(r"[ -~]+|[^ -~]", text):
        if _POWERSHELL_PLAIN.fullmatch(run):
            parts.append("'" + run.replace("'", "''") + "'")
        else:
            units = run.encode("utf-16-be")
            parts += [f"[char]0x{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2)]
    # The first part decides what + does, so it must be a string.
    return " + ".join(parts if text and parts[0].startswith("'") else ["''", *parts])


def _cmd(settings: tuple[Setting, ...]) -> list[str]:
    """Write a batch file: at the prompt, or through `for /f`, %% and %PATH% would mean something else."""
    lines = []
    for setting in settings:
        _refuse(setting, "cmd", "a quotation mark", lambda char: char == '"')
        _refuse(setting, "cmd", "an exclamation mark", lambda char: char == "!")  # delayed expansion
        _refuse(setting, "cmd", "a character that is not ASCII", lambda char: not char.isascii())
        value = setting.value.replace("%", "%%")
        if setting.name == "PATH":
            _refuse_separator(setting, "cmd", ";")
            value += ";%PATH%"
        lines.append(f'@set "{setting.name}={value}"')
    return lines


def _systemd(settings: tuple[Setting, ...]) -> list[str]:
    """Write a file for `environment.d` (systemd 252): shell-like quotes, but $ is expanded inside any."""
    lines = ["# For ~/.config/environment.d/ or /etc/environment.d/, in a file whose name ends in .conf"]
    for setting in settings:
        value = re.sub(r'[\\"`]', r"\\\g<0>", setting.value).replace("$", "$$")
        if setting.name == "PATH":
            _refuse_separator(setting, "systemd", ":")
            value += "${PATH:+:$PATH}"
        lines += [f"# {setting.reason}", f'{setting.name}="{value}"']
    return lines


def _dotenv(settings: tuple[Setting, ...]) -> list[str]:
    lines = ["# For readers of .env files; `uv run --env-file` is none: it sets them too late for uv itself"]
    for setting in settings:
        if setting.name == "PATH":
            lines.append(f"# A .env file cannot put a folder in front of PATH: call {setting.value}/uv")
        else:
            lines += [f"# {setting.reason}", f"{setting.name}={_dotenv_text(setting.value)}"]
    return lines


def _dotenv_text(text: str) -> str:
    """Quote only where it is needed, because docker's reader takes quotes literally."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=-]+", text):
        return text
    if not re.search(r"['\\]", text):
        return f"'{text}'"
    return '"' + re.sub(r'[\\"$]', r"\\\g<0>", text) + '"'


def _uv_toml(settings: tuple[Setting, ...]) -> list[str]:
    keyed = [setting for setting in settings if setting.key]
    since = max((key_since(setting.key) for setting in keyed), default=(0, 0, 0))
    lines = [f"# For uv {show_version(since)} and newer: an older one stops at a key that it does not know."]
    if others := [setting.name for setting in settings if not setting.key]:
        lines.append(f"# Not said here, but by the variables of `uv-bundler env`: {', '.join(others)}.")
    for setting in keyed:
        value = setting.value.replace("\\", "\\\\").replace('"', '\\"')
        lines += [
            f"# {setting.reason}",
            f"{setting.key} = " + ("true" if setting.name == "UV_OFFLINE" else f'"{value}"'),
        ]
    return lines


_FORMS: dict[str, Callable[[tuple[Setting, ...]], list[str]]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "cmd": _cmd,
    "systemd": _systemd,
    "dotenv": _dotenv,
    "uv-toml": _uv_toml,
}
SHELLS = tuple(_FORMS)
