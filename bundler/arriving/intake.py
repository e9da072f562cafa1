"""Files that arrive: taken once they are whole and ours, else left where they are (FORMAT.md §17, "Diodes").

Nothing in a file counts before a trusted signature holds over the index that it names. What has nothing new
in it is removed, unless it is to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.arriving.arrivals import Watcher
from bundler.arriving.taking import remove, take
from bundler.errors import BundlerError, DamagedFault, HostFault, SignatureFault
from bundler.volumes.survey import look

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.arriving.arrivals import Arrival, Identity
    from bundler.arriving.receivedset import ReceivedSet
    from bundler.arriving.receivedsets import ReceivedSets
    from bundler.arriving.receiving import Receiving
    from bundler.core.progress import Progress
    from bundler.volumes.survey import Seen

GROWING, UNREADABLE, FOREIGN, DONE = "growing", "unreadable", "untrusted", "done"
_REMEMBERED = 10_000  # lines that are not said again; whoever writes there may go on for years
_AGAIN = 60.0  # seconds until a file that was refused is looked at again: trust may have been imported


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A file that stays where it arrived, in the state in which it was seen, and why."""

    identity: Identity
    kind: str
    reason: str
    at: float
    index: str | None = None


class _GrowingError(Exception):
    """The file may not be all there yet."""


class Intake:
    """The way from the watched folder into the spool."""

    def __init__(self, sets: ReceivedSets, how: Receiving, *, progress: Progress) -> None:
        self.left: dict[Path, Left] = {}
        self.moving = False  # a file changed lately, so that another look may tell more
        self._sets, self._how, self._progress = sets, how, progress
        self._watcher = Watcher(how.watch, settle=how.settle, clock=how.clock, wall=how.wall)
        self._told: set[str] = set()

    def look(self) -> None:
        """Look once, and take what has come. Raises `HostFault`."""
        before, self.left = self.left, {}
        arrivals = self._watcher.look()
        self.moving = not all(one.settled for one in arrivals)
        for arrival in arrivals:
            left = self._unchanged(arrival, before.get(arrival.path)) or self._consider(arrival)
            if left:
                self.left[arrival.path] = left

    def _unchanged(self, arrival: Arrival, left: Left | None) -> Left | None:
        """Return what was found of the file before, where looking again would tell nothing new."""
        if left is None or left.identity != arrival.identity or left.kind == GROWING:
            return None
        late = left.kind != DONE and self._how.clock() - left.at >= _AGAIN
        return None if late or left.index in self._sets.known else left

    def _consider(self, arrival: Arrival) -> Left | None:
        """Take the file in, or drop it; return why it stays, or None."""
        kind, index = UNREADABLE, None
        try:
            known = self._identified(arrival)
            if known is None:
                return None
            index = known.index
            return self._take_in(arrival, known)
        except _GrowingError as growing:
            kind, reason = GROWING, str(growing)
        except SignatureFault as fault:
            kind, reason = FOREIGN, fault.message.removeprefix(f"{arrival.path}: ")
            self._tell_once(f"{arrival.path}: left alone: {reason}", key=index or "")
        except HostFault:
            raise
        except BundlerError as fault:
            reason = fault.message.removeprefix(f"{arrival.path}: ")
            self._tell_once(f"{arrival.path}: left alone: {reason}", key=str(arrival.identity))
        return self._leave(arrival, kind, reason, index=index)

    def _identified(self, arrival: Arrival) -> Seen | None:
        """Return what the file is, or None where it has gone; raises `DamagedFault` where it is nothing."""
        if not arrival.settled:
            raise _GrowingError("still changes")
        try:
            seen = look(arrival.path, follow=False)
        except BundlerError as fault:
            if not arrival.path.is_file():
                return None
            raise DamagedFault(fault.message.removeprefix(f"{arrival.path}: ")) from None
        known = self._sets.recognised(seen)
        if known is None:
            reason = seen.fault or "its index is damaged, and no other file of that bundle is here"
            if arrival.still < self._how.stalled:
                raise _GrowingError(reason)
            raise DamagedFault(reason)
        return known

    def _take_in(self, arrival: Arrival, known: Seen) -> Left | None:
        if known.index not in self._sets.known and self._was_received(known):
            return self._drop(arrival)
        bundle = self._sets.bundle_of(known)
        self._check_size(arrival, known, bundle)
        if bundle.has_right(known):
            self._sets.came_again(bundle, known, now=self._how.wall())
            return self._drop(arrival)
        target = self._sets.spool.place_for_arrival()
        if take(arrival, target, keep=self._how.keep):
            self._sets.place(bundle, replace(known, path=target), now=self._how.wall())
            if self._how.keep:
                return self._leave(arrival, DONE, "was copied")
        return None

    def _check_size(self, arrival: Arrival, known: Seen, bundle: ReceivedSet) -> None:
        expected = bundle.expected_size(known)
        if known.size > expected:
            raise DamagedFault(f"has {known.size} bytes, expected {expected}")
        if known.size < expected and arrival.still < self._how.stalled:
            raise _GrowingError(f"has {known.size} bytes of {expected}")

    def _was_received(self, seen: Seen) -> bool:
        """Tell whether the bundle was received before, and its folder was removed since."""
        if not seen.intact:
            return False
        for mark in self._sets.spool.marks(now=self._how.wall()):
            if mark.digest == seen.index:
                self._tell_once(
                    f"{mark.name}-{mark.serial}: was received before, and its folder was removed: "
                    "late files are dropped",
                    key=mark.digest,
                )
                return True
        return False

    def _drop(self, arrival: Arrival) -> Left | None:
        if self._how.keep:
            return self._leave(arrival, DONE, "is there already")
        remove(arrival)
        return None

    def _leave(self, arrival: Arrival, kind: str, reason: str, *, index: str | None = None) -> Left:
        return Left(identity=arrival.identity, kind=kind, reason=reason, at=self._how.clock(), index=index)

    def _tell_once(self, line: str, *, key: str) -> None:
        if key not in self._told:
            if len(self._told) >= _REMEMBERED:
                self._told.clear()
            self._told.add(key)
            self._progress.note(line)
