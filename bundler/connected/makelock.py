"""Lock: ask the package index what a manifest means today, and compare a lock with that.

What is known already stays: a `latest` that was resolved once, digests and sizes of files with the same
name. So locking again changes nothing unless the manifest, or with `upgrade` the index, has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from bundler.connected import uvlimits, uvrelease
from bundler.connected.lock import Lock, LockedBuild, LockedFile, LockedWheel
from bundler.connected.lockedfiles import Facts, wanted_file
from bundler.connected.manifestwords import LATEST
from bundler.connected.packageindex import list_files
from bundler.connected.resolve import Choice, resolve
from bundler.connected.uvmetadata import UvMetadata, read_sdist
from bundler.core.text import counted
from bundler.core.uvnames import file_name
from bundler.errors import BundlerError, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from bundler.connected.fetch import Fetcher
    from bundler.connected.indexsource import IndexSource
    from bundler.connected.manifest import Manifest
    from bundler.connected.ownbuilds import OwnBuild
    from bundler.connected.uvrelease import UvRelease
    from bundler.core.metadata import Row
    from bundler.core.progress import Progress

Releases = dict[Version, "UvRelease"]


def make_lock(
    manifest: Manifest,
    *,
    index: IndexSource,
    session: requests.Session,
    fetcher: Fetcher,
    progress: Progress,
    own: Sequence[OwnBuild] = (),
    previous: Lock | None = None,
    upgrade: bool = False,
) -> Lock:
    """Return what `manifest` means at `index` today; `own` are its builds, prepared.

    `previous` is the lock so far: what `latest` was then stays, unless `upgrade`. Fetches the sdist of uv
    that has the list of Pythons, and files that the index has no sha256 for. Raises `UsageFault` for a wish
    without a match, and `SourceFault` for a source that does not answer.
    """
    progress.stage(f"asking {index}", None)
    releases = uvrelease.read_releases(list_files(index.url, uvrelease.PROJECT, session=session))
    facts = Facts(fetcher=fetcher, progress=progress, previous=previous)
    chosen, latest = _choose_uv(manifest, releases, progress, before=None if upgrade else previous)
    versions = [release.version for release in chosen]
    uvlimits.check_versions(versions)
    wheels = _lock_wheels(manifest, chosen, facts)
    uv_list, choices = _choose_pythons(manifest, releases, max(versions), own, facts)
    rows = [choice.row for choice in choices] + [build.row for build in own]
    for line in uvlimits.unusable(versions, rows):
        progress.note(line)
    return Lock(
        name=manifest.name,
        manifest=manifest.digest,
        index=manifest.sources.index,
        uv=tuple(map(str, versions)),
        latest=latest,
        platforms=tuple(sorted(manifest.platforms)),
        uv_list=uv_list,
        pythons=facts.lock_pythons(choices, mirrors=manifest.sources.pythons),
        wheels=wheels,
        builds=tuple(
            LockedBuild(row=build.row, file=file_name(build.row.url), size=build.size, source=build.source)
            for build in sorted(own, key=lambda build: build.row.key)
        ),
    )


def _choose_uv(
    manifest: Manifest, releases: Releases, progress: Progress, *, before: Lock | None
) -> tuple[list[UvRelease], str | None]:
    """Return the releases in the manifest's order, each once, and what its `latest` stands for."""
    chosen: Releases = {}
    meaning: str | None = None
    for wanted in manifest.uv:
        if wanted == LATEST:
            kept = releases.get(Version(before.latest)) if before and before.latest else None
            release = kept if kept and not kept.yanked else uvrelease.latest(releases)
            meaning = str(release.version)
        else:
            release = uvrelease.exact(releases, wanted)
        if release.yanked:
            progress.note(f"uv {release.version}: its authors have withdrawn it")
        chosen.setdefault(release.version, release)
    return list(chosen.values()), meaning


def _lock_wheels(manifest: Manifest, chosen: Sequence[UvRelease], facts: Facts) -> tuple[LockedWheel, ...]:
    picks = [
        (release, platform, uvrelease.choose_wheel(release, platform))
        for release in sorted(chosen, key=lambda release: release.version)
        for platform in sorted(manifest.platforms)
    ]
    for release, platform, pick in picks:
        if pick.static:
            facts.progress.note(
                f"uv {release.version}: no glibc wheel for {platform}, taking the static musl one"
            )
    files = {pick.file.name: pick.file for _, _, pick in picks}
    locked = dict(zip(files, facts.lock_index_files(list(files.values())), strict=True))
    return tuple(
        LockedWheel(version=str(release.version), platform=platform, wheel=locked[pick.file.name])
        for release, platform, pick in picks
    )


def _choose_pythons(
    manifest: Manifest, releases: Releases, newest: Version, own: Sequence[OwnBuild], facts: Facts
) -> tuple[LockedFile | None, tuple[Choice, ...]]:
    """Resolve the wishes in the list of the newest uv, which knows the most; the older ones read its rows."""
    if not manifest.pythons:
        return None, ()
    sdist, metadata = _read_list(releases[newest], facts)
    if metadata.skipped:
        facts.progress.note(
            f"uv {newest}: {counted(metadata.skipped, 'Python')} of its list left aside, "
            "of an implementation, a variant or a platform that uv-bundler does not carry"
        )
    choices = resolve(
        manifest.pythons,
        platforms=manifest.platforms,
        rows=metadata.rows,
        own=[build.row for build in own],
        place=str(manifest.path),
        uv=str(newest),
        progress=facts.progress,
        elsewhere=lambda: _other_lists(manifest, releases, newest, facts),
    )
    return sdist, choices


def _read_list(release: UvRelease, facts: Facts) -> tuple[LockedFile, UvMetadata]:
    if release.sdist is None:
        raise UsageFault(
            f"uv {release.version}: the index has no sdist of it, and that holds the list of Pythons",
            hint="let the index mirror sdists too, or name another version of uv",
        )
    locked = facts.lock_index_files([release.sdist])[0]
    fetched = facts.fetcher.fetch([wanted_file(release.sdist, locked.sha256)])[0]
    return LockedFile(file=locked.file, sha256=locked.sha256, size=fetched.size), read_sdist(fetched.path)


def _other_lists(
    manifest: Manifest, releases: Releases, newest: Version, facts: Facts
) -> Iterator[tuple[str, Sequence[Row]]]:
    """Read the lists of the manifest's other versions and of the newest there is, to explain a failure."""
    versions = {Version(name) for name in manifest.uv if name != LATEST} | {
        uvrelease.latest(releases).version
    }
    for version in sorted(versions - {newest}, reverse=True):
        try:
            yield str(version), _read_list(releases[version], facts)[1].rows
        except BundlerError:  # the failure to explain matters more
            continue
