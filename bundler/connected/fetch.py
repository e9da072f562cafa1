"""Fetch: bring files from their sources into the cache, several at a time, each checked against its digest.

Guarantees: what comes back lies in the cache and has the digest that was wanted; a wrong file is never
cached, the next candidate is tried instead; one file's failure does not keep the others from being fetched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bundler.connected.crew import each
from bundler.connected.download import Download
from bundler.connected.patience import Patience
from bundler.connected.reasons import shown
from bundler.connected.remotesize import local_size, remote_size
from bundler.connected.sources import FolderIndex, local_path
from bundler.connected.transfer import Job, Meter, Refused, copy_local
from bundler.core.text import listed
from bundler.errors import SourceFault

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import requests

    from bundler.connected.cache import Cache
    from bundler.core.digest import Digest
    from bundler.core.progress import Progress

_MAX_LISTED = 5  # kinds of failure in one message
_MAX_NAMES = 3  # files of one kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to fetch: candidate URLs (http, https, file) in the order to try; no digest takes what comes."""

    label: str
    candidates: tuple[str, ...]
    sha256: Digest | None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file in the cache; `source` is the URL it came from, without credentials, or `cache`."""

    path: Path
    sha256: Digest
    size: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """A file that no source has: its URLs and why, for each of them."""

    label: str
    reasons: tuple[tuple[str, str], ...]

    @property
    def shared(self) -> str:
        """What files of the same sites with the same trouble have in common; empty where that is nothing."""
        sites = [(_host(url) or _local_site(url), why) for url, why in self.reasons]
        return "; ".join(f"{site}: {why}" for site, why in sites)

    def __str__(self) -> str:
        listed = "; ".join(f"{shown(url)}: {why}" for url, why in self.reasons)
        return f"{self.label}: {listed or 'no source is configured'}"


class Fetcher:
    """Fetches into one cache over one session; files in `folders` are found by digest, as the last resort."""

    def __init__(
        self,
        *,
        cache: Cache,
        session: requests.Session,
        progress: Progress,
        workers: int = 4,
        folders: tuple[Path, ...] = (),
        patience: Patience | None = None,
    ) -> None:
        self._cache, self._session, self._progress = cache, session, progress
        self._workers, self._patience = workers, patience or Patience()
        self._folders = FolderIndex(folders)
        self._warned: set[str] = set()
        self._silent_hosts: dict[str, str] = {}  # host : why; asked in vain once, not asked again

    def fetch(self, wanted: Sequence[Wanted]) -> list[Fetched]:
        """Return one cached file for each wanted one, in the same order; the same content is fetched once.

        Raises `SourceFault` that names every file that could not be had and why, after all others were
        fetched, and `HostFault` where the cache cannot be written. On Ctrl-C partials stay for the next run.
        """
        self._cache.tidy()
        unique = {item.sha256 or item: item for item in wanted}
        sizes = [item.size for item in unique.values()]
        self._progress.stage("fetching", None if None in sizes else sum(size or 0 for size in sizes))
        outcomes = each(self._fetch_one, list(unique.values()), workers=self._workers)
        if failures := [outcome for outcome in outcomes if isinstance(outcome, _Failed)]:
            raise _fault(failures, len(unique))
        fetched = {key: out for key, out in zip(unique, outcomes, strict=True) if isinstance(out, Fetched)}
        return [fetched[item.sha256 or item] for item in wanted]

    def sizes_of(self, wanted: Sequence[Wanted]) -> list[int | None]:
        """Return what `size_of` says of each file, asked for several at a time."""
        return each(lambda item, _: self.size_of(item), wanted, workers=self._workers)

    def size_of(self, wanted: Wanted) -> int | None:
        """Return the size of the file in bytes without fetching it; None where no source tells."""
        if wanted.size is not None:
            return wanted.size
        cached = local_size(self._cache.path_of(wanted.sha256)) if wanted.sha256 else None
        if cached is not None:
            return cached
        for url in wanted.candidates:
            path = local_path(url)
            if path is not None:
                size = local_size(path)
            elif _host(url) in self._silent_hosts:
                continue
            else:
                size = remote_size(self._session, url, self._patience)
            if size is not None:
                return size
        found = self._folders.find(wanted.sha256) if wanted.sha256 else None
        return local_size(found) if found else None

    def _fetch_one(self, wanted: Wanted, stop: threading.Event) -> Fetched | _Failed:
        job = Job(
            sha256=wanted.sha256,
            size=wanted.size,
            patience=self._patience,
            meter=Meter(self._progress),
            note=lambda line: self._progress.note(f"{wanted.label}: {line}"),
            warn=self._warn_once,
            stop=stop,
        )
        reasons: list[tuple[str, str]] = []
        try:
            if hit := self._cached(job):
                return hit
        except Refused as refused:
            return _Failed(label=wanted.label, reasons=(("", f"the file with that sha256 {refused.why}"),))
        for url in self._places(wanted):
            outcome = self._try(url, job)
            if isinstance(outcome, Fetched):
                return outcome
            reasons.append((url, outcome))
        return _Failed(label=wanted.label, reasons=tuple(reasons))

    def _warn_once(self, line: str) -> None:
        """Say a thing about a host once, whatever the number of files that wait for it."""
        if line not in self._warned:
            self._warned.add(line)
            self._progress.note(line)

    def _places(self, wanted: Wanted) -> Iterator[str]:
        """Yield the candidates, then a local file with the digest; the folders are read only when needed."""
        yield from wanted.candidates
        found = self._folders.find(wanted.sha256, size=wanted.size) if wanted.sha256 else None
        if found:
            yield found.as_uri()

    def _cached(self, job: Job) -> Fetched | None:
        path = self._cache.find(job.sha256) if job.sha256 else None
        if path is None or job.sha256 is None:
            return None
        size = path.stat().st_size
        job.check(job.sha256, size)
        job.meter.reached(size)
        return Fetched(path=path, sha256=job.sha256, size=size, source="cache")

    def _try(self, url: str, job: Job) -> Fetched | str:
        """Return the file, or why this URL does not lead to it."""
        try:
            return self._from(url, job)
        except Refused as refused:
            return refused.why

    def _from(self, url: str, job: Job) -> Fetched:
        source = local_path(url)
        if source is not None:
            with self._cache.scratch() as folder:
                digest, size = copy_local(job, source=source, target=folder / "copy")
                path = self._cache.adopt(folder / "copy", digest)
        else:
            with self._cache.partial(url) as partial:
                if hit := self._cached(job):  # another process had the partial until now, and has finished
                    return hit
                digest, size = self._download(url, job, partial)
                path = self._cache.adopt(partial, digest)
        return Fetched(path=path, sha256=digest, size=size, source=shown(url))

    def _download(self, url: str, job: Job, partial: Path) -> tuple[Digest, int]:
        if why := self._silent_hosts.get(_host(url)):
            raise Refused(why)
        try:
            return Download(job, session=self._session, url=url, path=partial).run()
        except Refused as refused:
            if refused.unreachable:
                self._silent_hosts[_host(url)] = refused.why
            raise


def _local_site(url: str) -> str:
    """Name the source of a file URL for messages: the folder above TAG/FILE or PROJECT/FILE."""
    return shown(url).rsplit("/", 2)[0]


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _fault(failures: list[_Failed], count: int) -> SourceFault:
    if len(failures) == 1:
        message = str(failures[0])
    else:
        alike: dict[str, list[_Failed]] = defaultdict(list)
        for failed in failures:
            alike[failed.shared].append(failed)
        told = [_told(shared, group) for shared, group in alike.items()]
        more = f"; and {len(told) - _MAX_LISTED} more" if len(told) > _MAX_LISTED else ""
        message = (
            f"{len(failures)} of {count} files could not be fetched: {'; '.join(told[:_MAX_LISTED])}{more}"
        )
    return SourceFault(
        message,
        hint="what has arrived is kept: run it again, or name another source (--python-mirror, --index)",
    )


def _told(shared: str, group: list[_Failed]) -> str:
    if len(group) == 1 or not shared:
        return "; ".join(map(str, group))
    return f"{shared} ({listed((failed.label for failed in group), most=_MAX_NAMES)})"
