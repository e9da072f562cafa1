"""The proof of an own build: its archive, unpacked elsewhere, runs without the prefix it was made of."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bundler.connected import readarchive
from bundler.connected.interpreter import Interpreter, describe
from bundler.connected.prefixfiles import SYSTEM
from bundler.core.text import printable
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT = 120  # seconds
# Covers a folder with an empty one, for one program only; no privilege where user namespaces are allowed.
_HIDE = 'mount -t tmpfs none "$0" && exec "$@"'


def prove(archive: Path, *, original: Interpreter, scratch: Path) -> tuple[str, ...]:
    """Unpack the archive into `scratch` and run it; return notes on what a person should know.

    It must be the same version, find itself at the new place, import all that the original imports, use no
    file of the original, and make a virtual environment that runs. Raises `UsageFault` with what failed.
    """
    folder = (scratch / "proof").resolve()
    folder.mkdir()
    readarchive.unpack(archive, folder)
    root = folder / "python"
    wrapper = _hiding(original, folder)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    program = root / "bin" / f"python{original.minor}{original.suffix}"
    try:
        copy = describe(program, wrapper=wrapper, environ=environ)
    except UsageFault as fault:
        raise _unfit(original, fault.message) from None
    _compare(original, copy, root)
    _make_venv([*wrapper, str(program)], folder / "venv", original, environ)
    notes = [] if wrapper else [f"{original.prefix} could not be hidden while its archive was tried"]
    if original.unable:
        notes.append(f"cannot import {', '.join(original.unable)}, as in {original.prefix}")
    return tuple(notes)


def _hiding(original: Interpreter, folder: Path) -> list[str]:
    """Return the command that runs another one without the original; empty where this is not allowed."""
    hidden = original.stdlib if original.prefix == SYSTEM else original.prefix
    if original.platform.os != "linux" or folder.is_relative_to(hidden):
        return []
    wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", _HIDE, str(hidden)]
    try:
        done = subprocess.run([*wrapper, "true"], check=False, capture_output=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return wrapper if done.returncode == 0 else []


def _compare(original: Interpreter, copy: Interpreter, root: Path) -> None:
    for what in ("implementation", "version", "prerelease", "variant", "platform"):
        before, after = getattr(original, what), getattr(copy, what)
        if before != after:
            raise _unfit(original, f"its {what} is {after}, expected {before}")
    if copy.prefix.resolve() != root:
        raise _unfit(original, f"its prefix is {copy.prefix}, expected the place where it was unpacked")
    for place in copy.search_path:
        if not place.startswith(f"{copy.prefix}/"):
            raise _unfit(original, f"it looks for modules in {place}, expected only its own folders")
    if lost := [name for name in original.able if name not in copy.able]:
        raise _unfit(original, f"it cannot import {', '.join(lost)}")
    for path in copy.mapped:
        library = path.name == original.libpython and not path.is_relative_to(root)
        inside = path.is_relative_to(original.stdlib if original.prefix == SYSTEM else original.prefix)
        if library or (inside and not path.is_relative_to(root)):
            raise _unfit(original, f"it still uses {path}")


def _make_venv(command: list[str], folder: Path, original: Interpreter, environ: dict[str, str]) -> None:
    inside = [*command[:-1], str(folder / "bin" / "python")]
    for step in (
        [*command, "-I", "-B", "-m", "venv", "--without-pip", str(folder)],
        [*inside, "-I", "-B", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"],
    ):
        try:
            done = subprocess.run(step, check=False, capture_output=True, timeout=_TIMEOUT, env=environ)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unfit(original, f"no virtual environment can be made: {error}") from None
        if done.returncode:
            said = printable(done.stderr.decode(errors="replace").strip()[-300:])
            raise _unfit(original, f"no virtual environment can be made: {said}")


def _unfit(original: Interpreter, why: str) -> UsageFault:
    return UsageFault(
        f"{original.prefix}: cannot be carried to another machine: {why}",
        hint="name another Python, or a ready-made archive (builds: - archive: …)",
    )
