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


def script(data: bytes, *, python: str, prefix: Path, is_ours: bool) -> bytes | None:
    """Return a script that starts the interpreter beside it; None where it belongs to another program.

    A shell script finds its place itself, as those of pip and uv do; `python3-config` of CPython does with
    the variable `prefix_real`. `is_ours` tells whether the first line names the interpreter that is archived.
    """
    first, newline, rest = data.partition(b"\n")
    if not first.startswith(b"#!") or not newline:
        return None
    if b"python" not in first:
        return _shell_script(data, prefix) if first.rstrip().endswith(b"sh") else None
    return _POLYGLOT % python.encode() + rest if is_ours else None


def _shell_script(data: bytes, prefix: Path) -> bytes:
    if b"prefix_real=" not in data or str(prefix) == "/usr":
        return data
    # The script replaces the value of `prefix` by `prefix_real` in some of its texts, not in all.
    fixed = re.sub(rb'(?m)^prefix="[^"]*"$', b'prefix="%s"' % INSTALL.encode(), data)
    return _without(fixed, prefix, b"${prefix_real}")


def build_time_text(data: bytes, *, prefix: Path) -> bytes:
    """Replace the prefix in `_sysconfigdata_*.py` by `/install`, which uv turns into the real place.

    The prefix `/usr` is left as it is: there it stands for the system's compiler and tools as well.
    """
    return _without(data, prefix, INSTALL.encode())


def pkgconfig(data: bytes, *, prefix: Path) -> bytes:
    """Let a `.pc` file find its prefix from where it lies, as python-build-standalone's do."""
    own = re.sub(rb"(?m)^prefix=.*$", b"prefix=${pcfiledir}/../..", data)
    return _without(own, prefix, b"${prefix}")


def _without(data: bytes, prefix: Path, new: bytes) -> bytes:
    if str(prefix) == "/usr":
        return data
    return re.sub(re.escape(os.fsencode(prefix)) + rb"(?![\w.+-])", lambda _: new, data)


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
