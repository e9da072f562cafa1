"""What `doctor` says: one finding is a state, and one line that mends it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Level = Literal["ok", "warn", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: how it stands, and how to mend it (empty where all is well)."""

    level: Level
    what: str
    fix: str = ""


def ok(what: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(level="ok", what=what)


def warn(what: str, *, fix: str) -> Finding:
    """Say that something may surprise."""
    return Finding(level="warn", what=what, fix=fix)


def problem(what: str, *, fix: str) -> Finding:
    """Say that something does not work."""
    return Finding(level="problem", what=what, fix=fix)


def command(*words: str | Path) -> str:
    """Write a command line that can be pasted into a POSIX shell."""
    return shlex.join(map(str, words))


def export_line(prefix: Path) -> str:
    """Write the line that sets every export in the person's shell."""
    if os.name == "nt":
        return f'uv-bundler env --prefix "{prefix}" | Out-String | Invoke-Expression'
    return f'eval "$({command("uv-bundler", "env", "--prefix", prefix)})"'
