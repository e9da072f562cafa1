"""A package index with small uvs in it, a mirror and a cache, as folders: the world in which a lock is made."""

from pathlib import Path

from uvlists import LINUX, WINDOWS, Heard, row, write_index

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher
from bundler.connected.indexsource import find_index
from bundler.connected.makelock import make_lock
from bundler.connected.manifest import parse_manifest
from bundler.connected.patience import Patience

ROWS = [row(version, platform) for version in ("3.12.7", "3.13.4", "3.13.5") for platform in (LINUX, WINDOWS)]
NEWER = [*ROWS, row("3.13.6", LINUX), row("3.13.6", WINDOWS)]
QUICK = Patience(attempts=1, first_wait=0.0, longest_wait=0.0, connect_timeout=0.2, stall_timeout=2.0)


class World:
    """An index in a folder, a mirror folder for the archives, and a cache."""

    def __init__(self, folder, session):
        self.folder, self.session, self.heard = folder, session, Heard()
        self.index = write_index(folder, {"0.12.0": ROWS})
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        self.cache = Cache(folder / "cache")
        self.fetcher = Fetcher(cache=self.cache, session=session, progress=self.heard, patience=QUICK)

    def manifest(self, *, uv="latest", pythons='["3.13"]', platforms="[linux-x86_64-gnu]", sources=""):
        sources = sources or f"{{pythons: {self.mirror.as_uri()}}}"
        text = (
            f"version: 1\nname: plant-7\nrelease: Q4\nuv: {uv}\npythons: {pythons}\n"
            f"platforms: {platforms}\nsources: {sources}\n"
        )
        return parse_manifest(text.encode(), path=Path("plant.yaml"))

    def lock(self, manifest=None, *, index=None, **options):
        return make_lock(
            manifest or self.manifest(),
            index=find_index(option=index or self.index),
            session=self.session,
            fetcher=self.fetcher,
            progress=self.heard,
            **options,
        )


def keys(lock):
    return [item.row.key for item in lock.pythons]
