"""Receive bundles from a folder where a diode puts files (FORMAT.md §17, "Diodes").

In any order, cut off, repeated, several bundles at once. What is known is what lies in the spool.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from bundler.arriving.intake import FOREIGN, GROWING, UNREADABLE, Intake
from bundler.arriving.receivedsets import ReceivedSets
from bundler.arriving.receivestatus import (
    COMPLETE,
    MAX_NAMED,
    RECEIVING,
    RECOVERABLE,
    STALE,
    UNTRUSTED,
    BundleState,
    Report,
    only,
)
from bundler.arriving.tally import beyond_parity, count, has_a_set, layouts, lost_blocks
from bundler.core.text import counted, size
from bundler.core.ticketfit import exact_ticket, fitting
from bundler.errors import BundlerError, HostFault
from bundler.offline.reader import reader_of
from bundler.offline.verify import read_payload
from bundler.volumes.opening import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bundler.arriving.receivedset import ReceivedSet
    from bundler.arriving.receivedsets import Verify
    from bundler.arriving.receivespool import Mark, Spool
    from bundler.core.progress import Progress

_DAY = 86400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """How files are received; times in seconds. `expire` is in days, 0 for never.

    `settle` counts the looks in which a file must not change. One that is shorter than it should be is taken
    as cut off after `stalled` seconds. With `keep` nothing is removed from `watch`.
    """

    watch: Path
    settle: int = 2
    stalled: float = 900
    expire: float = 14
    keep: bool = False
    clock: Callable[[], float] = field(default=time.monotonic)
    wall: Callable[[], float] = field(default=time.time)


class Receiver:
    """Receives into a spool whose lock is held.

    `judge` takes a signed index and what messages call it, and raises `SignatureFault` where nobody trusted
    signed it. `announce` is given the command of each bundle that can be unpacked, once; `command` makes it.
    """

    def __init__(
        self,
        spool: Spool,
        how: Receiving,
        *,
        judge: Verify,
        announce: Callable[[str], object],
        command: Callable[[Path], str],
        progress: Progress,
    ) -> None:
        self._spool, self._how, self._judge = spool, how, judge
        self._announce, self._command, self._progress = announce, command, progress
        self._sets = ReceivedSets(spool, judge=judge, tell=progress.note)
        self._intake = Intake(self._sets, how, progress=progress)
        self._states: dict[str, BundleState] = {}
        self._sets.load()

    @property
    def moving(self) -> bool:
        """Whether a file changed lately, so that another look may tell more."""
        return self._intake.moving

    def poll(self) -> Report:
        """Look once, take what has come, and say how each bundle stands. Raises `HostFault`."""
        self._sets.refresh(now=self._how.wall())
        self._intake.look()
        marks = self._spool.marks(now=self._how.wall())
        self._update(marks)
        self._expire(marks)
        return self._report()

    def _update(self, marks: Sequence[Mark]) -> None:
        """Find out how each bundle stands of which something changed, and announce those that are enough.

        The newest come first, so that an older one that comes with them is known as old.
        """
        newest: dict[str, int] = {}
        for mark in marks:
            newest[mark.name] = max(newest.get(mark.name, 0), mark.serial)
        there = {digest for digest, bundle in self._sets.known.items() if bundle.files}
        self._states = {digest: one for digest, one in self._states.items() if digest in there}
        for bundle in sorted(self._sets.known.values(), key=lambda one: -one.index.serial):
            known = self._states.get(bundle.digest)
            stale = bundle.index.serial < newest.get(bundle.index.name, 0)
            if not bundle.files or (
                known and bundle.digest not in self._sets.changed and stale == (known.state == STALE)
            ):
                continue
            announced = any(one.digest == bundle.digest for one in marks)
            state = self._states[bundle.digest] = self._state(bundle, stale=stale, announced=announced)
            self._tell_of(bundle, state, before=known)
            if state.unpack:
                newest[bundle.index.name] = max(newest.get(bundle.index.name, 0), bundle.index.serial)
                if not announced:
                    self._announce(state.unpack)
                    moment = datetime.fromtimestamp(self._how.wall(), tz=timezone.utc)
                    self._spool.mark(bundle.index, bundle.digest, moment=moment)
        self._sets.changed.clear()

    def _state(self, bundle: ReceivedSet, *, stale: bool, announced: bool) -> BundleState:
        lost = lost_blocks(bundle.index, bundle.files)
        needed = beyond_parity(bundle.index, bundle.files, lost)
        state = RECEIVING if needed else RECOVERABLE if lost else COMPLETE
        reason = None
        if stale:
            state, reason = STALE, "a bundle with a higher serial was received before"
        elif not bundle.is_signed:
            state, reason = RECEIVING, "no file that is here has signatures that hold"
        elif state != RECEIVING and not announced and (lost or not has_a_set(bundle.files)):
            fault = self._unreadable(bundle)
            if fault and lost:
                state, reason = RECEIVING, f"parity should be enough, and is not: {fault}"
            elif fault:
                state, reason = RECEIVING, f"all blocks are here, but not read: {fault}"
        data, parity = count(bundle.files)
        times = bundle.times()
        return BundleState(
            state=state,
            index_sha256=bundle.digest,
            name=bundle.index.name,
            serial=bundle.index.serial,
            data=data,
            parity=parity,
            files=len(bundle.files),
            size=sum(one.seen.size for one in bundle.files),
            beyond=state == RECEIVING and not data.missing and bool(data.damaged),
            first_seen=min(times),
            last_arrival=max(times),
            ticket=_ticket(bundle, needed) if state == RECEIVING else None,
            folder=str(bundle.folder),
            unpack=self._command(bundle.folder) if state in (RECOVERABLE, COMPLETE) else None,
            reason=reason,
        )

    def _unreadable(self, bundle: ReceivedSet) -> str | None:
        """Read the whole bundle as `verify` does; return why that fails, or None."""
        name = str(bundle.folder)
        try:
            with opened([bundle.folder], judge=lambda *one: self._judge(*one).index) as found:
                reader = reader_of(found.source, name=name)
                verified = self._judge(reader.read_signed_index(), name)
                read_payload(reader, verified, progress=self._progress)
        except HostFault:
            raise
        except BundlerError as fault:
            return fault.message
        return None

    def _tell_of(self, bundle: ReceivedSet, state: BundleState, *, before: BundleState | None) -> None:
        if before and (before.state, before.beyond) == (state.state, state.beyond):
            return
        if state.unpack:
            lines = [f"{state.state}, {size(state.size)} in {counted(state.files, 'file')}"]
        elif state.beyond:
            which = only(state.data, state.parity)
            lines = [f"all volumes are here, and their damage is beyond the parity: needs --only {which}"]
        else:
            lines = [state.reason] if state.reason else []
        for line in lines:
            self._progress.note(f"{bundle.stem}: {line}")

    def _expire(self, marks: Sequence[Mark]) -> None:
        """Remove what is incomplete or old, and for which nothing came for as many days as were given."""
        if not self._how.expire:
            return
        now, most = self._how.wall(), self._how.expire * _DAY
        for digest, state in list(self._states.items()):
            if state.state not in (RECEIVING, STALE):
                continue
            bundle = self._sets.known[digest]
            last = max(bundle.times())
            if last > now + _DAY:  # the clock was set back: count from now on
                bundle.touch(now=now)
            elif now - last > most:
                self._sets.forget(bundle)
                del self._states[digest]
                self._progress.note(
                    f"{bundle.stem}: removed: {state.state}, and nothing came for {self._how.expire:g} days"
                )
        for mark in marks:
            if mark.age > most and mark.digest not in self._sets.known:
                self._spool.forget(mark)

    def _report(self) -> Report:
        foreign: dict[str, list[tuple[int, str]]] = {}
        left = self._intake.left
        for one in left.values():
            if one.kind == FOREIGN:
                foreign.setdefault(one.index or "", []).append((one.identity.size, one.reason))
        strange = self._sets.strange
        for reason, index in strange.values():
            if index:
                foreign.setdefault(index, []).append((0, reason))
        strangers = [
            BundleState(
                state=UNTRUSTED,
                index_sha256=digest,
                files=len(files),
                size=sum(each for each, _ in files),
                reason=files[0][1],
            )
            for digest, files in foreign.items()
        ]
        unreadable = [(path, one.reason) for path, one in left.items() if one.kind == UNREADABLE]
        unreadable += [(path, reason) for path, (reason, index) in strange.items() if not index]
        known = sorted(self._states.values(), key=lambda one: (one.name or "", one.serial or 0))
        return Report(
            bundles=(*known, *strangers[:MAX_NAMED]),
            growing=tuple(path for path, one in left.items() if one.kind == GROWING),
            unreadable=tuple(unreadable),
        )


def _ticket(bundle: ReceivedSet, needed: Sequence[int]) -> str | None:
    cuts = layouts(bundle.index, bundle.files)
    if not needed or not cuts:
        return None
    return str(fitting(exact_ticket(needed, layout=cuts[0], index=bundle.digest), layout=cuts[0]))
