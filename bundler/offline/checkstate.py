"""`doctor` on what this host remembers: stopped runs, an older generation, expiry, the audit log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError
from bundler.offline.auditread import opened, verify_log
from bundler.offline.deciding import read_clock
from bundler.offline.findings import Finding, command, ok, problem, warn
from bundler.offline.interpreters import unfinished_installs
from bundler.offline.policy import past_its_time
from bundler.offline.serials import read_marks

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
    return [*found, *_log(prefix)]


def _marks(generation: Generation, index: Index, marks: Marks, prefix: Prefix) -> Iterator[Finding]:
    again = "unpack the bundle again: it cleans up first"
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


def _log(prefix: Prefix) -> Iterator[Finding]:
    if not os.path.lexists(prefix.log):
        yield warn(f"{prefix.log}: missing, expected an audit log", fix="find out who removed it")
        return
    try:
        with opened(prefix.log) as stream:
            verified = verify_log(stream, prefix.log)
    except BundlerError as error:
        yield problem(error.message, fix=error.hint or "see above")
    else:
        yield ok(f"{prefix.log}: {counted(verified.entries, 'event')}, each fits what stands before it")
