"""Make the files of an installed Python independent of the place where they lie."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from bundler.connected import elf

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path, PurePosixPath

INSTALL = (
    "/install"  # python-build-standalone's build prefix; uv replaces it by the real one when it installs
)
_POLYGLOT = b'#!/bin/sh\n\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")/%s" "$0" "$@"\n\' \'\'\'\n'


def script(data: bytes, *, python: str, is_ours: bool) -> bytes | None:
    """Return a script that starts the interpreter beside it; None where it belongs to another program.

    A shell script is taken as it is: those that pip, uv and CPython install find their place themselves.
    `is_ours` tells whether the interpreter in its first line is the one that is archived.
    """
    first, newline, rest = data.partition(b"\n")
    if not first.startswith(b"#!") or not newline:
        return None
    if b"python" not in first:
        return data if first.rstrip().endswith(b"sh") else None
    return _POLYGLOT % python.encode() + rest if is_ours else None


def build_time_text(data: bytes, *, prefix: Path) -> bytes:
    """Replace the prefix in `_sysconfigdata_*.py` by `/install`, which uv turns into the real place.

    The prefix `/usr` is left as it is: there it stands for the system's compiler and tools as well.
    """
    if str(prefix) == "/usr":
        return data
    whole = re.escape(os.fsencode(prefix)) + rb"(?![\w.+-])"
    return re.sub(whole, INSTALL.encode(), data)


def pkgconfig(data: bytes) -> bytes:
    """Let a `.pc` file find its prefix from where it lies, as python-build-standalone's do."""
    return re.sub(rb"(?m)^prefix=.*$", b"prefix=${pcfiledir}/../..", data)


def binary(path: Path, *, name: PurePosixPath, prefix: Path, libraries: Iterable[str]) -> list[str]:
    """Let the copied binary at `path`, archived as `name`, find the `libraries`; return what it needs.

    Folders below the old prefix are replaced by the same ones relative to `$ORIGIN`, the others are kept.
    """
    upwards = "/".join([".."] * (len(name.parts) - 2))  # from the binary's folder up to python/
    needed, before = elf.needed(path), elf.run_path(path)
    after: list[str] = [] if set(libraries).isdisjoint(needed) else [f"$ORIGIN/{upwards}/lib"]
    for folder in before:
        inside = str(prefix) != "/usr" and (folder == str(prefix) or folder.startswith(f"{prefix}/"))
        below = os.path.relpath(folder, prefix) if inside else ""
        after.append(f"$ORIGIN/{upwards}/{below}" if inside else folder)
    after = list(dict.fromkeys(after))
    if after != before:
        elf.set_run_path(path, after)
    return needed
