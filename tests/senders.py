"""The near side of a diode: what is sent of a set, a progress that remembers, and a clock that only sleeping moves."""

from __future__ import annotations

from bundler.connected.parcels import gather
from bundler.core.progress import Silent


class Heard(Silent):
    """A progress that remembers what was said."""

    def __init__(self):
        self.notes = []

    def note(self, line):
        self.notes.append(line)


class Time:
    """A clock that only sleeping moves, and a proxy that does something each time."""

    def __init__(self, proxy=lambda: None):
        self.now, self.slept, self._proxy = 0.0, [], proxy

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        self._proxy()

    def options(self):
        return {"clock": lambda: self.now, "sleep": self.sleep}


def short(parcels):
    """Return `3` and `p1` for the volumes, and `+` for anything else."""
    return [{"data": f"{one.number}", "parity": f"p{one.number}"}.get(one.kind, "+") for one in parcels]


def all_of(*paths, only=None):
    """Return what is sent of these paths, without what is said of it."""
    return gather(paths, only=only, note=lambda _: None)
