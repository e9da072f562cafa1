"""The connected side put together: one manifest, its lock, and where everything comes from."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bundler.connected import labels, makelock, packing, prefixzstd
from bundler.connected.cache import Cache, default_root
from bundler.connected.deltalock import words_of
from bundler.connected.earlier import read_earlier
from bundler.connected.earliercontent import Contents
from bundler.connected.fetch import Fetcher
from bundler.connected.gather import Supplies, gather
from bundler.connected.http import open_session
from bundler.connected.indexsource import IndexSource, find_index
from bundler.connected.lock import Lock, load_lock
from bundler.connected.lock import lock_path as default_lock
from bundler.connected.lockdiff import differences
from bundler.connected.manifest import Manifest, load_manifest
from bundler.connected.outlook import in_one_line, planned
from bundler.connected.ownbuilds import OwnBuild, prepare
from bundler.connected.sources import folders
from bundler.core.durable import whole_file
from bundler.core.index import MIN_BLOCK_SIZE
from bundler.errors import SourceFault, UsageFault
from bundler.volumes.choosecut import ONE_FILE
from bundler.volumes.placing import check_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import requests

    from bundler.connected.earlier import Earlier
    from bundler.core.digest import Digest
    from bundler.core.progress import Progress
    from bundler.signing.signer import SigningKey
    from bundler.signing.trustdoc import SignedDocument
    from bundler.volumes.choosecut import Wished


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A manifest with its lock's place, and the index, mirrors and cache that serve it."""

    manifest: Manifest
    lock_path: Path
    index: IndexSource
    cache: Cache
    session: requests.Session
    progress: Progress
    told: set[str] = field(default_factory=set)  # notes of own builds, which `pack` may prepare twice

    @classmethod
    def open(
        cls,
        manifest: Path,
        *,
        lock_path: Path | None,
        index: str | None,
        python_mirror: str | None,
        cache_dir: Path | None,
        progress: Progress,
    ) -> Workshop:
        """Load the manifest; the options override its sources. Raises `UsageFault`; asks no network."""
        loaded = load_manifest(manifest)
        if python_mirror:
            loaded = replace(loaded, sources=replace(loaded.sources, pythons=(python_mirror,)))
        return cls(
            manifest=loaded,
            lock_path=lock_path or default_lock(manifest),
            index=find_index(option=index, manifest=loaded.sources.index),
            cache=Cache(cache_dir or default_root(os.environ)),
            session=open_session(),
            progress=progress,
        )

    def lock(self, *, upgrade: bool) -> Lock:
        """Resolve the manifest and write the lock; one that would not change is not touched."""
        previous = self._last_lock()
        fresh = self._resolve(previous, upgrade=upgrade)
        if fresh != previous:
            with whole_file(self.lock_path) as stream:
                stream.write(fresh.to_bytes())
        return fresh

    def check(self) -> list[str]:
        """Return how the lock differs from what the manifest means today; nothing where it is current."""
        current = load_lock(self.lock_path)
        return differences(current, self._resolve(current, upgrade=False))

    def summary(self) -> str:
        """Return the lock in one line."""
        return in_one_line(load_lock(self.lock_path))

    def plan(self, *, level: str | None, since: Sequence[Path] = (), wished: Wished = ONE_FILE) -> list[str]:
        """Return what `pack` would carry, a line each; resolves where the lock is old, writes nothing.

        Without a level everything is carried as it is, and no line says so of an archive.
        """
        earlier = self._earlier(since, labels.packing_time())
        lock = self._current_lock() or self._resolve(self._last_lock(), upgrade=False)
        title = f"{self.manifest.name} {self.manifest.release}, from {self.lock_path}"
        return [title, *planned(lock, words_of(lock, earlier), level=level, wished=wished)]

    def pack(
        self,
        output: Path,
        *,
        key: SigningKey,
        level: str | None,
        valid_days: int | None = None,
        chain: Sequence[SignedDocument] = (),
        since: Sequence[Path] = (),
        wished: Wished = ONE_FILE,
    ) -> packing.Packed:
        """Lock where needed, fetch, build, sign and write the bundle; `valid_days` overrides the manifest.

        `since` names earlier bundles or their indexes: what they brought is not carried again.
        """
        check_output(output)
        if wished.size is not None and wished.size <= MIN_BLOCK_SIZE:
            raise UsageFault(
                f"--volume-size: expected room for more than one block, which has {MIN_BLOCK_SIZE} bytes, "
                f"found {wished.size}",
                hint="say a medium or a size such as fat32, dvd, diode or 100M",
            )
        now = labels.packing_time()
        earlier = self._earlier(since, now)
        if earlier:
            prefixzstd.library()  # where it is not installed people learn that before anything is fetched
        lock, begun = self._current_lock() or self.lock(upgrade=False), time.monotonic()
        if not lock.pythons and not lock.builds:
            raise UsageFault(f"{self.lock_path}: has no interpreters, expected one", hint="lock again")
        marked = labels.label(
            name=self.manifest.name,
            release=self.manifest.release,
            serial=self.manifest.serial,
            valid_days=valid_days or self.manifest.valid_days,
            uv=lock.uv,
            platforms=lock.platforms,
            now=now,
        )
        supplies = Supplies(
            index=self.index.url,
            mirrors=self.manifest.sources.pythons,
            session=self.session,
            cache=self.cache,
            fetcher=self._fetcher(),
        )
        with self.cache.scratch() as scratch:
            builds = self._builds(lock)
            ingredients = gather(lock, builds, supplies, scratch=scratch)
            fetched = time.monotonic() - begun
            packed = packing.pack(
                ingredients,
                marked=marked,
                output=output,
                key=key,
                level=level,
                scratch=scratch,
                chain=chain,
                since=Contents(
                    earlier=earlier,
                    supplies=supplies,
                    progress=self.progress,
                    own={one.sha256: one.source for one in ingredients},
                )
                if earlier
                else None,
                wished=wished,
                progress=self.progress,
            )
        return replace(packed, seconds=(("fetch", fetched), *packed.seconds))

    def _earlier(self, since: Sequence[Path], now: datetime) -> tuple[Earlier, ...]:
        serial = labels.serial_of(self.manifest.serial, now)
        return read_earlier(since, name=self.manifest.name, serial=serial)

    def _last_lock(self) -> Lock | None:
        return load_lock(self.lock_path) if self.lock_path.exists() else None

    def _current_lock(self) -> Lock | None:
        lock = self._last_lock()
        if lock is None or (lock.manifest, lock.name) == (self.manifest.digest, self.manifest.name):
            return lock
        self.progress.note(f"{self.lock_path}: was made from another state of the manifest, locking again")
        return None

    def _resolve(self, previous: Lock | None, *, upgrade: bool) -> Lock:
        own = [self._prepared(number) for number in range(len(self.manifest.builds))]
        return makelock.make_lock(
            self.manifest,
            index=self.index,
            session=self.session,
            fetcher=self._fetcher(),
            progress=self.progress,
            own=own,
            previous=previous,
            upgrade=upgrade,
        )

    def _prepared(self, number: int) -> OwnBuild:
        build = prepare(self.manifest.builds[number], cache=self.cache, progress=self.progress)
        for line in build.notes:
            note = f"{build.source}: {line}"
            if note not in self.told:
                self.told.add(note)
                self.progress.note(note)
        return build

    def _builds(self, lock: Lock) -> dict[Digest, Path]:
        """Return the archives of the lock's own builds; an archived prefix is taken from the cache."""
        found: dict[Digest, Path] = {}
        sources = {build.written: number for number, build in enumerate(self.manifest.builds)}
        for item in lock.builds:
            wanted = item.row.sha256
            if wanted is None:
                continue
            cached = self.cache.find(wanted)
            if cached:
                found[wanted] = cached
                continue
            build = self._prepared(sources[item.source])
            if build.sha256 != wanted:
                raise SourceFault(
                    f"{item.source}: expected sha256 {wanted} as in {self.lock_path}, found {build.sha256}",
                    hint=f"the build changed since then: uv-bundler lock {self.manifest.path}, review it",
                )
            found[wanted] = build.path
        return found

    def _fetcher(self) -> Fetcher:
        return Fetcher(
            cache=self.cache,
            session=self.session,
            progress=self.progress,
            folders=folders(self.manifest.sources.pythons),
        )
