"""A file, a server that may misbehave, a cache, and a fetcher between them that loses patience soon."""

from __future__ import annotations

import contextlib
import random

import hostile
import requests

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher, Wanted
from bundler.connected.patience import Patience
from bundler.core.digest import Digest

DATA = random.Random(7).randbytes(300_000)
WRONG = random.Random(8).randbytes(300_000)
SHA = Digest.of(DATA)
QUICK = Patience(
    attempts=4,
    first_wait=0.001,
    longest_wait=0.005,
    longest_asked_wait=2.0,
    connect_timeout=2.0,
    stall_timeout=0.3,
    slow_window=0.2,
    slow_bytes=1000,
    progress_bytes=50_000,
    largest=1_000_000,
)


class Listener:
    def __init__(self):
        self.stages, self.bytes, self.notes = [], 0, []

    def stage(self, label, total):
        self.stages.append((label, total))

    def advance(self, count):
        self.bytes += count

    def note(self, line):
        self.notes.append(line)


class World:
    def __init__(self, server, session, cache, progress):
        self.server, self.session, self.cache, self.progress = server, session, cache, progress

    def fetcher(self, **options):
        options = {"patience": QUICK, **options}
        return Fetcher(cache=self.cache, session=self.session, progress=self.progress, **options)

    def fetch(self, *urls, sha256=SHA, size=None, **options):
        wanted = Wanted(label="python.tar.gz", candidates=urls, sha256=sha256, size=size)
        return self.fetcher(**options).fetch([wanted])[0]

    def cached(self):
        return sorted(path.name for path in self.cache.root.glob("sha256/*/*"))

    def partials(self):
        return sorted(path.stat().st_size for path in self.cache.root.glob("partial/*.part"))


@contextlib.contextmanager
def world_in(folder):
    """Give a world with a server that runs, and an empty cache below the folder."""
    with hostile.running() as server, requests.Session() as session:
        session.trust_env = False
        yield World(server, session, Cache(folder / "cache"), Listener())


def check(world, fetched):
    assert fetched.path.read_bytes() == DATA
    assert (fetched.sha256, fetched.size) == (SHA, len(DATA))
    assert world.cached() == [SHA.hex]
    assert world.partials() == []
