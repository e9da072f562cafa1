"""The bytes of what earlier bundles brought: from the cache, from the bundle itself, or from today's sources.

Guarantees: every file has the sha256 that was asked for, and lies in the cache. Nothing is remembered beside
that: whether a file was there before or comes from a source decides how long it takes, never what is packed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.connected.earlierbundle import take_out
from bundler.connected.fetch import Wanted
from bundler.connected.packageindex import list_files
from bundler.connected.sources import candidates
from bundler.connected.uvbinaries import extract_binaries
from bundler.connected.uvrelease import PROJECT
from bundler.core.digest import hash_file
from bundler.errors import BundlerError, DamagedFault, SourceFault
from bundler.offline.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bundler.connected.earlier import Earlier
    from bundler.connected.gather import Supplies
    from bundler.core.digest import Digest
    from bundler.core.index import Artifact
    from bundler.core.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Where content of the earlier bundles can be had; `own` is what is being packed, by digest.

    An own build comes from no source, and where it did not change only today's build has its bytes.
    """

    earlier: Sequence[Earlier]
    supplies: Supplies
    progress: Progress
    own: Mapping[Digest, Path] = field(default_factory=dict)

    def fetch(self, wanted: Iterable[Artifact]) -> dict[Digest, Path]:
        """Return the files that could be had, by digest; a note tells of each that could not, and why.

        Raises `HostFault` where the cache cannot be written.
        """
        missing = {one.sha256: one for one in wanted}
        at_hand = self._at_hand(missing)
        found = {digest: at_hand[digest] for digest in missing if digest in at_hand}
        for digest, one in missing.items():
            if digest in found:
                continue
            try:
                found[digest] = self._binary(one) if one.role == "uv" else self._archive(one)
            except SourceFault as fault:
                self.progress.note(
                    f"{one.key or one.path} of an earlier bundle cannot be had, so nothing is encoded "
                    f"against it: {fault.message}; name the bundle itself with --since to have it"
                )
        return found

    def _at_hand(self, wanted: Iterable[Digest]) -> dict[Digest, Path]:
        """Return what the cache has and what the bundles give, of these and of what they are rebuilt from.

        A bundle builds on older ones alone. So one way back finds out what is needed of which, and one way
        forth rebuilds it.
        """
        found: dict[Digest, Path] = {}
        missing: set[Digest] = set()
        self._look(wanted, found, missing)
        jobs: list[tuple[Earlier, Path, list[Artifact]]] = []
        for one in reversed(self.earlier):
            inside = [each for each in _carried(one) if each.sha256 in missing]
            if one.bundle and inside:
                jobs.append((one, one.bundle, inside))
                self._look(needs_of(one.index, inside).contents, found, missing)
        for one, bundle, inside in reversed(jobs):
            ready = [each for each in inside if each.sha256 not in found]
            ready = [each for each in ready if needs_of(one.index, [each]).contents <= found.keys()]
            found |= self._out_of(one, bundle, ready, found)
        return found

    def _look(self, wanted: Iterable[Digest], found: dict[Digest, Path], missing: set[Digest]) -> None:
        """Look into the cache, which hashes what it has, once for each."""
        for digest in wanted:
            if digest not in found and digest not in missing:
                path = self.supplies.cache.find(digest) or self.own.get(digest)
                if path:
                    found[digest] = path
                else:
                    missing.add(digest)

    def _out_of(
        self, earlier: Earlier, bundle: Path, wanted: Sequence[Artifact], held: Mapping[Digest, Path]
    ) -> dict[Digest, Path]:
        """Return what a bundle gives; a note tells where it is damaged."""
        if not wanted:
            return {}
        try:
            return take_out(earlier, bundle, wanted, held=held, cache=self.supplies.cache)
        except BundlerError as fault:
            if fault.exit_code not in (3, 4, 5):
                raise
            self.progress.note(f"{fault.message}; what it holds is looked for elsewhere")
            return {}

    def _archive(self, one: Artifact) -> Path:
        """Fetch an archive from where it can be had today; raises `SourceFault`."""
        if one.origin is None:
            raise SourceFault(f"{one.path}: the index does not say where it came from")
        found = candidates(one.origin, mirrors=self.supplies.mirrors, sha256=one.sha256)
        wanted = Wanted(label=one.key or one.path, candidates=found, sha256=one.sha256, size=one.size)
        return self.supplies.fetcher.fetch([wanted])[0].path

    def _binary(self, one: Artifact) -> Path:
        """Fetch the wheel that a program of uv came in, and take it out; raises `SourceFault`."""
        supplies = self.supplies
        files = {file.name: file for file in list_files(supplies.index, PROJECT, session=supplies.session)}
        wheel = files.get(one.origin or "")
        if wheel is None or one.platform is None:
            raise SourceFault(f"{one.path}: the index does not have {one.origin or 'its wheel'} any more")
        wanted = Wanted(label=wheel.name, candidates=(wheel.url,), sha256=wheel.sha256, size=wheel.size)
        fetched = supplies.fetcher.fetch([wanted])[0]
        with supplies.cache.scratch() as folder:
            try:
                written = extract_binaries(fetched.path, folder, one.platform)
            except DamagedFault as fault:
                raise SourceFault(fault.message) from None
            for file in written.values():
                if hash_file(file)[0] == one.sha256:
                    return supplies.cache.adopt(file, one.sha256)
        raise SourceFault(f"{one.path}: {wheel.name} holds other programs today")


def _carried(earlier: Earlier) -> list[Artifact]:
    """Return the artifacts whose bytes a bundle brings, each content once."""
    brought = {one.sha256: one for one in earlier.index.artifacts if one.member is not None or one.recipe}
    return list(brought.values())
