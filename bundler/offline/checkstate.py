"""`doctor` on what this host remembers: stopped runs, an older generation, expiry, the audit log."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError
from bundler.offline.auditread import opened, verify_log
from bundler.offline.deciding import read_clock
from bundler.offline.findings import Finding, command, ok, problem, warn
from bundler.offline.interpreters import unfinished_installs
from bundler.offline.policy import past_its_time
from bundler.offline.serials import FILE_NAME, read_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.index import Index
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix
    from bundler.offline.serials import Marks


def check_state(generation: Generation, index: Index, *, prefix: Prefix) -> list[Finding]:
    """Compare the active generation with what the prefix remembers, and verify the log."""
    found: list[Finding] = []
    try:
        marks = read_marks(prefix)
        found += _marks(generation, index, marks, prefix)
        found += _interpreters(prefix)
    except BundlerError as error:
        found.append(problem(error.message, fix=error.hint or "see above"))
    return [*found, *_log(prefix), *_modes(prefix)]


def _marks(generation: Generation, index: Index, marks: Marks, prefix: Prefix) -> Iterator[Finding]:
    again, path = "unpack the bundle again: it cleans up first", prefix.state / FILE_NAME
    if not os.path.lexists(path):
        yield warn(
            f"{path}: missing, expected the highest serials seen here: an older bundle passes for a new one",
            fix="restore it from a backup, or unpack the newest bundle again, which writes it anew",
        )
    if marks.switching not in (None, generation.number):
        yield warn(
            f"{prefix.generations / str(marks.switching)}: an unpack was stopped before it became active, or "
            "one is at work now",
            fix=again,
        )
    elif os.path.lexists(prefix.staging):
        yield warn(f"{prefix.staging}: an unpack was stopped, or one is at work now", fix=again)
    mark = marks.names.get(generation.name)
    if mark and mark.serial > generation.serial:
        yield warn(
            f"serial {generation.serial} is active, and this host has seen {mark.serial}",
            fix="if nobody rolled back on purpose, unpack the newest bundle",
        )
    for line in past_its_time(index, None, read_clock(marks)):
        yield warn(line, fix="bring a newer bundle; if the time is wrong, set the clock")


def _interpreters(prefix: Prefix) -> Iterator[Finding]:
    if unfinished := sorted(unfinished_installs(prefix)):
        yield problem(
            f"{prefix.python}: {', '.join(unfinished)}: being installed when a run was stopped, or right now",
            fix=command("uv-bundler", "unpack", "BUNDLE", "--install-pythons", "--prefix", prefix.root),
        )


def _modes(prefix: Prefix) -> Iterator[Finding]:
    for path in (prefix.state, prefix.state / FILE_NAME, prefix.log):
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if os.name != "nt" and mode & 0o022 and not path.is_symlink():
                yield problem(
                    f"{path}: mode is {mode:04o}, expected no write for group and others",
                    fix=command("chmod", "go-w", path),
                )


def _log(prefix: Prefix) -> Iterator[Finding]:
    if not os.path.lexists(prefix.log):
        yield warn(f"{prefix.log}: missing, expected an audit log", fix="find out who removed it")
        return
    try:
        with opened(prefix.log) as stream:
            verified = verify_log(stream, prefix.log)
    except BundlerError as error:
        yield problem(error.message, fix=error.hint or "see above")
        return
    if not verified.entries:
        yield problem(
            f"{prefix.log}: no event in it, expected at least that of the active generation",
            fix="find out who changed it; the next run goes on with it",
        )
    else:
        yield ok(f"{prefix.log}: {counted(verified.entries, 'event')}, each fits what stands before it")
