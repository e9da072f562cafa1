"""`rollback`: activate an older generation again, hashed first; no mark is lowered (FORMAT.md §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.errors import DamagedFault, UsageFault
from bundler.offline.activate import activate, numbers
from bundler.offline.actor import whoami
from bundler.offline.audit import Log, bundle_facts
from bundler.offline.checktree import check_tree
from bundler.offline.generation import Generation, active_generation, read_generation
from bundler.offline.prefix import Prefix, check_prefix, locked
from bundler.offline.recover import recover

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.offline.audit import Recording


_DOWNGRADE = 'uv-bundler unpack BUNDLE --allow-downgrade --reason "TEXT"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """What was active, and what is active now; the same generation where nothing had to be done."""

    before: Generation
    now: Generation


def other_generations(prefix: Prefix, active: Generation) -> tuple[int, ...]:
    """Return the numbers of the generations beside the active one, newest first."""
    return tuple(sorted((one for one in numbers(prefix) if one != active.number), reverse=True))


def roll_back(
    root: Path, *, to: int | None, reason: str | None, command: str, progress: Progress
) -> Rollback:
    """Activate generation `to`, or the newest one before the active one.

    Raises `UsageFault` where there is none, `DamagedFault` where its files are not what was verified once;
    then the active generation is what it was.
    """
    prefix = check_prefix(root)
    if not prefix.state.is_dir():  # nothing was ever unpacked: no folder is made for nothing
        raise _nothing(prefix)
    with locked(prefix):
        log = Log(prefix.log, who=whoami(), command=command)
        with log.recording("rollback", reason=reason) as entry:
            for line in recover(prefix)[1]:
                log.append("recover", "done", message=line)
                progress.note(line)
            return _switch(prefix, to, entry, progress)


def _switch(prefix: Prefix, to: int | None, entry: Recording, progress: Progress) -> Rollback:
    active = active_generation(prefix)
    if active is None:
        raise _nothing(prefix)
    entry.facts(serial_before=active.serial, generation_before=active.number)
    target = _choose(prefix, active, to)
    index = target.index()
    entry.facts(bundle=bundle_facts(index, index_sha256=target.index_sha256, file=str(target.folder)))
    if target.number == active.number:
        entry.outcome = "nothing"
        return Rollback(before=active, now=active)
    findings = check_tree(target, index, prefix=prefix, check_digests=True, progress=progress)
    if problem := next((one for one in findings if one.level == "problem"), None):
        raise DamagedFault(
            f"generation {target.number}: {problem.what}",
            hint=f"name another one with --to, or unpack its bundle: {_DOWNGRADE}",
        )
    entry.begin()
    activate(prefix, target.number)
    entry.facts(serial_after=target.serial, generation_after=target.number)
    return Rollback(before=active, now=target)


def _choose(prefix: Prefix, active: Generation, to: int | None) -> Generation:
    if to == active.number:
        return active
    others = other_generations(prefix, active)
    if to is None:
        to = next((one for one in others if one < active.number), None)
    if to is None:
        raise UsageFault(
            f"{prefix.root}: generation {active.number} is active, expected an older one to go back to",
            hint=f"unpack the older bundle: {_DOWNGRADE}",
        )
    if to not in others:
        listed = ", ".join(map(str, others)) or "no other"
        raise UsageFault(
            f"{prefix.root}: generation {to} is not here, expected one of {listed}; "
            f"{active.number} is active",
            hint="name one of those with --to" if others else f"unpack its bundle: {_DOWNGRADE}",
        )
    return read_generation(prefix.generations / str(to))


def _nothing(prefix: Prefix) -> UsageFault:
    return UsageFault(
        f"{prefix.root}: nothing is unpacked here, expected an unpacked bundle", hint="name its --prefix"
    )
