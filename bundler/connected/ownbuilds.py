"""A site's own interpreters: a ready-made archive or an installed prefix becomes a row and a file."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.connected.interpreter import describe, find_python
from bundler.connected.manifest import ArchiveBuild, Build, PrefixBuild
from bundler.connected.prefixarchive import write_archive
from bundler.connected.proof import prove
from bundler.connected.readymade import check_archive
from bundler.core.digest import Digest, hash_file
from bundler.core.fault import Fault
from bundler.core.metadata import Row
from bundler.core.names import portable_path
from bundler.core.uvnames import own_build_url
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.connected.cache import Cache
    from bundler.connected.interpreter import Interpreter
    from bundler.core.progress import Progress

_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})((?:a|b|rc)[0-9]{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBuild:
    """An own build: its row for uv, the archive at `path`, and what a person should know about it."""

    row: Row
    path: Path
    sha256: Digest
    size: int
    source: str
    notes: tuple[str, ...] = ()


def prepare(build: Build, *, cache: Cache, progress: Progress) -> OwnBuild:
    """Return the build as an archive that uv installs.

    A ready-made archive stays where it is, byte for byte. An installed prefix is archived into the cache, the
    same input to the same bytes, and the archive is proved by running it. Raises `UsageFault` for what is not
    what the manifest says or does not run.
    """
    return _ready_made(build) if isinstance(build, ArchiveBuild) else _installed(build, cache, progress)


def _ready_made(build: ArchiveBuild) -> OwnBuild:
    path, version = build.path, _VERSION.fullmatch(build.version)
    if not version:
        raise UsageFault(f"{path}: expected a full version such as 3.13.5, found {build.version!r}")
    if not path.is_file():
        raise UsageFault(
            f"{path}: no such file, expected a ready-made archive",
            hint="paths in a manifest are relative to the manifest's folder",
        )
    try:
        portable_path(path.name)
    except Fault as fault:
        raise UsageFault(f"{path}: {fault.message}", hint="rename the archive") from None
    notes = check_archive(build)
    sha256, size = hash_file(path)
    if build.sha256 not in (None, sha256):
        raise UsageFault(
            f"{path}: has the sha256 {sha256}, expected {build.sha256}",
            hint="the archive or the manifest is not the one that it should be: find out which",
        )
    row = Row(
        name=build.implementation,
        version=(int(version[1]), int(version[2]), int(version[3])),
        prerelease=version[4] or "",
        variant=build.variant,
        platform=build.platform,
        url=own_build_url(path.name, sha256),
        sha256=sha256,
        build=f"own-{sha256.short}",
    )
    return OwnBuild(row=row, path=path, sha256=sha256, size=size, source=build.written, notes=notes)


def _installed(build: PrefixBuild, cache: Cache, progress: Progress) -> OwnBuild:
    program = find_python(build.path)
    python = describe(program)
    _check(build, python)
    with cache.scratch() as scratch:
        archive = scratch / "archive.tar.gz"
        needed = write_archive(python, target=archive, scratch=scratch, progress=progress)
        notes = prove(archive, original=python, scratch=scratch)
        sha256, size = hash_file(archive)
        path = cache.adopt(archive, sha256)
    if needed:
        notes = (*notes, f"needs these libraries from the host: {', '.join(needed)}")
    draft = Row(
        name=python.implementation,
        version=python.version,
        prerelease=python.prerelease,
        variant=python.variant,
        platform=python.platform,
        url="",
        sha256=sha256,
        build=f"own-{sha256.short}",
    )
    name = f"{draft.key.replace('+', '-')}-install_only.tar.gz"
    row = dataclasses.replace(draft, url=own_build_url(name, sha256))
    return OwnBuild(row=row, path=path, sha256=sha256, size=size, source=build.written, notes=notes)


def _check(build: PrefixBuild, python: Interpreter) -> None:
    if python.implementation != "cpython" or python.platform.os == "windows":
        raise UsageFault(
            f"{build.path}: {python.implementation} on {python.platform}, expected CPython on Linux or macOS",
            hint="name a ready-made archive instead (builds: - archive: …)",
        )
    if build.platform != python.platform:
        raise UsageFault(
            f"{build.path}: is for {python.platform}, expected {build.platform}",
            hint="correct `platform`, or archive it on such a machine",
        )
