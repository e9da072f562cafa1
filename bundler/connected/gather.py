"""From a lock to files at hand: fetch the archives and wheels, prepare own builds, write the metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.connected.bundlewriter import Ingredient
from bundler.connected.lockwants import wanted_pythons, wanted_wheels
from bundler.connected.packageindex import list_files
from bundler.connected.uvbinaries import extract_binaries
from bundler.connected.uvrelease import PROJECT
from bundler.core.digest import Digest, hash_file
from bundler.core.fault import Fault
from bundler.core.index import METADATA_NAME
from bundler.core.metadata import dump_rows
from bundler.core.names import portable_path
from bundler.core.ustar import MAX_SIZE
from bundler.core.uvnames import cache_name, mirror_path
from bundler.errors import SourceFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import requests

    from bundler.connected.cache import Cache
    from bundler.connected.fetch import Fetched, Fetcher
    from bundler.connected.lock import Lock, LockedWheel
    from bundler.core.metadata import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """Where files come from: the index's URL, the mirrors of Pythons, and the fetcher over both."""

    index: str
    mirrors: tuple[str, ...]
    session: requests.Session
    cache: Cache
    fetcher: Fetcher


def gather(
    lock: Lock, builds: Mapping[Digest, Path], supplies: Supplies, *, scratch: Path
) -> list[Ingredient]:
    """Return every file of the bundle; `scratch` takes what is unpacked or written for it.

    `builds` are the archives of the lock's own builds, by digest. Everything is fetched in one go, so that
    one message names all that could not be had. Raises `SourceFault`.
    """
    pythons = wanted_pythons(lock, mirrors=supplies.mirrors)
    wheels = wanted_wheels(
        lock,
        cache=supplies.cache,
        listing=lambda: list_files(supplies.index, PROJECT, session=supplies.session),
    )
    fetched = supplies.fetcher.fetch([*pythons, *wheels])
    archives = [(item.row, one) for item, one in zip(lock.pythons, fetched, strict=False)]
    found = [_archive(row, one.path, one.size) for row, one in archives]
    for build in lock.builds:
        if build.row.sha256:
            found.append(_archive(build.row, builds[build.row.sha256], build.size))
    for wheel, one in zip(lock.wheels, fetched[len(pythons) :], strict=True):
        found += _programs(wheel, one, scratch)
    rows = [item.row for item in lock.pythons] + [item.row for item in lock.builds]
    found.append(_written(dump_rows(rows), METADATA_NAME, "metadata", scratch))
    found.append(_written(lock.to_bytes(), "bundle.lock", "lock", scratch))
    return found


def _archive(row: Row, file: Path, size: int) -> Ingredient:
    if row.sha256 is None:
        raise SourceFault(f"{row.key}: expected a sha256 in the lock", hint="lock again")
    try:
        path = portable_path(mirror_path(row.url))
        link = portable_path(f"python-cache/{cache_name(row.url, row.sha256)}")
    except Fault as fault:
        raise UsageFault(
            f"{row.key}: {fault.message}", hint="the lock was edited by hand or is from elsewhere: lock again"
        ) from None
    if size > MAX_SIZE:
        raise UsageFault(
            f"{row.key}: has {size} bytes, expected at most {MAX_SIZE} for one file of a bundle",
            hint="leave it out, or have it built smaller",
        )
    return Ingredient(
        source=file,
        path=path,
        size=size,
        sha256=row.sha256,
        role="archive",
        links=(link,),
        platform=row.platform,
        key=row.key,
        origin=row.url,
    )


def _programs(wheel: LockedWheel, fetched: Fetched, scratch: Path) -> Iterable[Ingredient]:
    folder = scratch / wheel.version / str(wheel.platform)
    folder.mkdir(parents=True)
    for name, file in sorted(extract_binaries(fetched.path, folder, wheel.platform).items()):
        digest, size = hash_file(file)
        yield Ingredient(
            source=file,
            path=portable_path(f"uv/{wheel.version}/{wheel.platform}/{name}"),
            size=size,
            sha256=digest,
            role="uv",
            executable=True,
            platform=wheel.platform,
            uv=wheel.version,
            origin=wheel.wheel.file,
        )


def _written(data: bytes, path: str, role: str, scratch: Path) -> Ingredient:
    file = scratch / path
    file.write_bytes(data)
    return Ingredient(source=file, path=path, size=len(data), sha256=Digest.of(data), role=role)
