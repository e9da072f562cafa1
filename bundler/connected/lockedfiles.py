"""Digests and sizes of locked files: told by the index, the lock before, or the file itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bundler.connected.fetch import Wanted
from bundler.connected.lock import Lock, LockedFile, LockedPython
from bundler.connected.sources import candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.connected.fetch import Fetcher
    from bundler.connected.packageindex import IndexFile
    from bundler.connected.resolve import Choice
    from bundler.core.digest import Digest
    from bundler.core.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where the facts about a file come from: `previous`, the lock so far, spares asking again."""

    fetcher: Fetcher
    progress: Progress
    previous: Lock | None

    def lock_index_files(self, files: Sequence[IndexFile]) -> list[LockedFile]:
        """Return the files with their digest, and their size where it can be known.

        A file that the index has no sha256 for keeps the one in the previous lock, or is fetched and pinned.
        """
        known = _files_of(self.previous)
        digests = {file.name: file.sha256 for file in files}
        sizes = {file.name: file.size for file in files}
        for file in files:
            before = known.get(file.name)
            if before and file.sha256 not in (None, before.sha256):
                self.progress.note(
                    f"{file.name}: the index has another file of this name than the lock so far"
                )
            elif before:
                digests[file.name] = before.sha256
                sizes[file.name] = sizes[file.name] or before.size
        self._pin({file.name: file for file in files if digests[file.name] is None}, digests, sizes)
        unknown = [file for file in files if sizes[file.name] is None]
        asked = self._ask_sizes([wanted_file(file, digests[file.name]) for file in unknown])
        sizes.update({file.name: size for file, size in zip(unknown, asked, strict=True)})
        return [
            LockedFile(file=file.name, sha256=sha256, size=sizes[file.name])
            for file in files
            if (sha256 := digests[file.name])
        ]

    def lock_pythons(self, choices: Sequence[Choice], *, mirrors: Sequence[str]) -> tuple[LockedPython, ...]:
        """Return the chosen rows with the sizes of their archives, which uv's list does not tell."""
        known = {item.row.sha256: item.size for item in self.previous.pythons} if self.previous else {}
        unknown = [choice for choice in choices if known.get(choice.row.sha256) is None]
        wanted = [
            Wanted(
                label=choice.row.key,
                candidates=candidates(choice.row.url, mirrors=mirrors, sha256=choice.row.sha256),
                sha256=choice.row.sha256,
            )
            for choice in unknown
        ]
        asked = self._ask_sizes(wanted)
        known |= {choice.row.sha256: size for choice, size in zip(unknown, asked, strict=True)}
        return tuple(
            LockedPython(row=choice.row, size=known[choice.row.sha256], requests=choice.requests)
            for choice in choices
        )

    def _pin(
        self, files: dict[str, IndexFile], digests: dict[str, Digest | None], sizes: dict[str, int | None]
    ) -> None:
        if not files:
            return
        names = ", ".join(files)
        self.progress.note(f"the index has no sha256 for {names}: pinning what it serves today")
        fetched = self.fetcher.fetch([wanted_file(file, None) for file in files.values()])
        for name, file in zip(files, fetched, strict=True):
            digests[name], sizes[name] = file.sha256, file.size

    def _ask_sizes(self, wanted: Sequence[Wanted]) -> list[int | None]:
        """Ask one file of each host first, so that a silent host is waited for once and told of once."""
        sizes: list[int | None] = [None] * len(wanted)
        by_host: dict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(wanted):
            by_host[_host(item)].append(number)
        for host, numbers in by_host.items():
            self.progress.stage(f"asking {host or 'the sources'} for sizes", None)
            first = self.fetcher.size_of(wanted[numbers[0]])
            sizes[numbers[0]] = first
            if first is None:
                count = "one file" if len(numbers) == 1 else f"{len(numbers)} files"
                self.progress.note(
                    f"{host or 'the sources'} cannot be asked for the size of {count}: left open"
                )
                continue
            rest = self.fetcher.sizes_of([wanted[number] for number in numbers[1:]])
            for number, size in zip(numbers[1:], rest, strict=True):
                sizes[number] = size
        return sizes


def wanted_file(file: IndexFile, sha256: Digest | None) -> Wanted:
    """Return what the fetcher wants to know about a file of the index."""
    return Wanted(label=file.name, candidates=(file.url,), sha256=sha256, size=file.size)


def _files_of(lock: Lock | None) -> dict[str, LockedFile]:
    if lock is None:
        return {}
    files = [item.wheel for item in lock.wheels] + ([lock.uv_list] if lock.uv_list else [])
    return {file.file: file for file in files}


def _host(wanted: Wanted) -> str:
    return urlsplit(wanted.candidates[0]).netloc.rpartition("@")[2] if wanted.candidates else ""
