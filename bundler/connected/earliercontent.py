"""The bytes of what earlier bundles brought: from the cache, from the bundle itself, or from today's sources.

Guarantees: every file has the sha256 that was asked for, and lies in the cache. Nothing is remembered beside
that: whether a file was there before or comes from a source decides how long it takes, never what is packed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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

_MAX_CHAIN: Final = 16  # deltas on deltas that are followed for one file: as many bundles as can be named


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Where content of the earlier bundles can be had."""

    earlier: Sequence[Earlier]
    supplies: Supplies
    progress: Progress

    def fetch(self, wanted: Iterable[Artifact]) -> dict[Digest, Path]:
        """Return the files that could be had, by digest; a note tells of each that could not, and why.

        Raises `HostFault` where the cache cannot be written.
        """
        missing = {one.sha256: one for one in wanted}
        found = self._at_hand(missing, depth=0)
        for digest, one in missing.items():
            if digest in found:
                continue
            try:
                found[digest] = self._binary(one) if one.role == "uv" else self._archive(one)
            except SourceFault as fault:
                self.progress.note(
                    f"{one.key or one.path} of an earlier bundle cannot be had, so nothing is encoded "
                    f"against it: {fault.message}"
                )
        return found

    def _at_hand(self, wanted: Mapping[Digest, Artifact], *, depth: int) -> dict[Digest, Path]:
        """Return what the cache has, and what the bundles themselves give."""
        found = {one: path for one in wanted if (path := self.supplies.cache.find(one))}
        for earlier in reversed(self.earlier):
            left = {one.sha256: one for one in earlier.index.artifacts if one.sha256 in wanted}
            missing = [one for digest, one in left.items() if digest not in found]
            if earlier.bundle and depth < _MAX_CHAIN:
                found |= self._out_of(earlier, earlier.bundle, missing, depth)
        return found

    def _out_of(
        self, earlier: Earlier, bundle: Path, wanted: Sequence[Artifact], depth: int
    ) -> dict[Digest, Path]:
        """Rebuild what of these artifacts a bundle has, and for which what it builds on is at hand too."""
        inside = [one for one in wanted if one.member is not None or one.recipe]
        needed = needs_of(earlier.index, inside).contents
        known = {one.sha256: one for other in self.earlier for one in other.index.artifacts}
        held = self._at_hand({one: known[one] for one in needed if one in known}, depth=depth + 1)
        ready = [one for one in inside if needs_of(earlier.index, [one]).contents <= held.keys()]
        if not ready:
            return {}
        try:
            return take_out(earlier, bundle, ready, held=held, cache=self.supplies.cache)
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
