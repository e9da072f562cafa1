"""Read a bundle in its exploded form, a folder of plain files (FORMAT.md §17, "Exploded").

Only files that the format or the accepted index names are opened. No link is followed, nothing but regular
files is read, and every byte that counts is authenticated as in a container.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from bundler.core.digest import CHUNK
from bundler.core.durable import host_faults
from bundler.core.index import (
    IDENTITY,
    INDEX_NAME,
    MAX_INDEX_BYTES,
    MAX_SIGNATURE_BYTES,
    MAX_SIGNATURES,
    SUMS_NAME,
)
from bundler.core.text import counted, listed
from bundler.errors import IncompleteFault, SignatureFault
from bundler.offline.front import files_of
from bundler.offline.needs import needs_of
from bundler.offline.plainfiles import COPY_FOLDER, PlainFiles
from bundler.offline.reader import Reader
from bundler.offline.signedindex import SignedIndex, document_name, signature_name
from bundler.signing.trustdoc import MAX_CHAIN, MAX_DOCUMENT_BYTES, MAX_VERSION, SignedDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.index import Artifact, Index, Member
    from bundler.core.progress import Progress

PLAIN: Final = "plain"
PLAIN_SUMS: Final = f"{PLAIN}/{SUMS_NAME}"
_DOCUMENT = re.compile(r"([1-9][0-9]{0,9})\.json")
_NAMED = 5  # files that a message names; the others it counts
_MOST_EXTRAS = 1000  # files that are none of ours, after which nobody counts on


def make_one_file(paths: Sequence[Path]) -> str | None:
    """Return the next step where a command wants files and found an exploded bundle, else None."""
    for path in paths:
        if is_exploded(path):
            words = shlex.join(["join", str(path), "-o", "q4.uvb"])
            return f"of an exploded bundle make one file first: uv-bundler {words}"
    return None


def is_exploded(folder: Path) -> bool:
    """Tell whether `folder` is such a bundle: it has an index and no file called .uvb; raises `HostFault`."""
    with host_faults(folder):
        return (
            folder.is_dir()
            and os.path.lexists(folder / INDEX_NAME)
            and not any(
                one.name.lower().endswith(".uvb") and not one.name.startswith("._")
                for one in folder.iterdir()
            )
        )


def plain_artifacts(index: Index) -> tuple[Artifact, ...]:
    """Return the artifacts that lie below `plain/`: the first of each content that no member is already.

    Not those that only a host with earlier bundles can rebuild, or has (FORMAT.md §16).
    """
    seen = {one.sha256 for one in index.members if one.encoding == IDENTITY and one.path != SUMS_NAME}
    found = []
    for one in index.artifacts:
        if one.sha256 not in seen and not (index.held and needs_of(index, [one]).held):
            seen.add(one.sha256)
            found.append(one)
    return tuple(found)


def plain_sums(index: Index) -> bytes:
    """Write `plain/SHA256SUMS`, in coreutils' form, its paths as seen from `plain/`."""
    return "".join(f"{one.sha256}  {one.path}\n" for one in plain_artifacts(index)).encode()


class FolderReader(Reader):
    """A bundle in a folder. Files that are not its own are left alone, and told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = PlainFiles(folder)
        self._told: dict[str, None] = {}
        self._signed: SignedIndex | None = None
        self._index: Index | None = None

    def told(self) -> tuple[str, ...]:
        """Return lines for people about what lies there and should not, and what does not and might."""
        return tuple(self._told)

    def read_signed_index(self) -> SignedIndex:
        """Read the files that stand before the payload, as many as there are without a gap."""
        raw = self._files.whole(INDEX_NAME, limit=MAX_INDEX_BYTES)
        signatures = self._signatures(INDEX_NAME)
        if not signatures:
            raise SignatureFault(
                f"{self._folder}: expected {signature_name(0)} beside {INDEX_NAME}, found no signature",
                hint="an unsigned bundle is never unpacked: have the packer sign it (`uv-bundler sign`)",
            )
        self._signed = SignedIndex(raw=raw, signatures=signatures, chain=tuple(self._chain()))
        return self._signed

    def begin(self, index: Index) -> None:
        """Look whether every member is there, and what else is: that is told."""
        self._index = index
        missing = [one.path for one in index.members if not self._files.is_there(one.path)]
        if missing:
            raise IncompleteFault(
                f"{self._folder}: {counted(len(missing), 'file')} of the bundle missing: {_named(missing)}",
                hint=COPY_FOLDER,
            )
        if extras := self._extras(index):
            many = f"more than {_MOST_EXTRAS} files" if len(extras) > _MOST_EXTRAS else ""
            self._tell(
                f"{many or counted(len(extras), 'file')} not of this bundle, ignored: {_named(extras)}"
            )

    def stored_size(self, index: Index) -> int:
        """Return the bytes of all files of the bundle in the folder, those below `plain/` too."""
        signed = self._signed
        front = sum(len(data) for _, data in files_of(signed)) if signed else 0
        plain = [one.size for one in plain_artifacts(index) if self._files.is_there(f"{PLAIN}/{one.path}")]
        sums = len(plain_sums(index)) if self._files.is_there(PLAIN_SUMS) else 0
        return front + sum(one.size for one in index.members) + sum(plain) + sums

    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:
        """Yield the bytes of the member's file, block by block, each one already authenticated."""
        with self._files.open(member.path) as stream:
            self._files.expect_size(stream, member.path, member.size)
            for number, digest in enumerate(member.blocks):
                data = self._files.read(
                    stream, member.path, min(block_size, member.size - number * block_size)
                )
                found = hashlib.sha256(data).hexdigest()
                if found != digest.hex:
                    raise self._files.damaged(
                        member.path,
                        f"block {number + 1} of {len(member.blocks)} at byte {number * block_size}: "
                        f"sha256 is {found}, expected {digest}",
                    )
                yield data

    def skip(self, member: Member, *, block_size: int) -> None:
        """Do nothing: no file is read before it is wanted."""

    def expect_end(self) -> None:
        """Do nothing: a folder has no end, and `begin` named what is not of this bundle."""

    def check_rest(self, progress: Progress) -> None:
        """Compare the files below `plain/` with their artifacts; those that are missing are told."""
        if self._index is None:
            return
        wanted = [(f"{PLAIN}/{one.path}", one) for one in plain_artifacts(self._index)]
        missing = [path for path, _ in wanted if not self._files.is_there(path)]
        progress.stage("verify plain files", sum(one.size for path, one in wanted if path not in missing))
        for path, one in wanted:
            if path in missing:
                continue
            state = hashlib.sha256()
            with self._files.open(path) as stream:
                self._files.expect_size(stream, path, one.size)
                while data := self._files.read(stream, path, CHUNK, whole=False):
                    state.update(data)
                    progress.advance(len(data))
            if state.hexdigest() != one.sha256.hex:
                raise self._files.damaged(path, f"sha256 is {state.hexdigest()}, expected {one.sha256}")
        if wanted and self._files.is_there(PLAIN_SUMS):
            sums = plain_sums(self._index)
            if self._files.whole(PLAIN_SUMS, limit=len(sums)) != sums:
                raise self._files.damaged(PLAIN_SUMS, "expected the digests of the index, found others")
        if missing:
            self._tell(
                f"{counted(len(missing), 'plain file')} not there, nothing needs them: {_named(missing)}"
            )

    def _tell(self, line: str) -> None:
        self._told[f"{self._folder}: {line}"] = None

    def _signatures(self, of: str) -> tuple[bytes, ...]:
        names = [signature_name(number, of=of) for number in range(MAX_SIGNATURES)]
        there = [name for name in names if self._files.is_there(name)]
        if there != names[: len(there)]:
            gap = next(name for name in names if name not in there)
            raise self._files.damaged(gap, f"is missing, expected it beside {there[-1]}")
        return tuple(self._files.whole(name, limit=MAX_SIGNATURE_BYTES) for name in there)

    def _chain(self) -> Iterator[SignedDocument]:
        folder = self._folder / PurePosixPath(document_name(1)).parent
        if not os.path.lexists(folder):
            return
        self._files.look(folder.name, folder=True)
        with host_faults(folder), os.scandir(folder) as entries:
            found = (_DOCUMENT.fullmatch(one.name) for one in entries)
            numbers = sorted({int(one[1]) for one in found if one and int(one[1]) <= MAX_VERSION})
        if len(numbers) > MAX_CHAIN:
            raise self._files.damaged(
                folder.name, f"expected at most {MAX_CHAIN} trust documents, found more"
            )
        for before, number in itertools.pairwise(numbers):
            if number != before + 1:
                raise self._files.damaged(
                    document_name(before + 1), f"is missing, expected it beside {document_name(number)}"
                )
        for number in numbers:
            path = document_name(number)
            raw, signatures = self._files.whole(path, limit=MAX_DOCUMENT_BYTES), self._signatures(path)
            if not signatures:
                raise self._files.damaged(
                    signature_name(0, of=path), f"is missing, expected it beside {path}"
                )
            yield SignedDocument(raw=raw, signatures=signatures, number=number)

    def _extras(self, index: Index) -> list[str]:
        """Return what lies in the folder and is not of this bundle, at most a few more than are told."""
        own = {one.path for one in index.members} | {PLAIN_SUMS}
        own |= {f"{PLAIN}/{one.path}" for one in plain_artifacts(index)}
        own |= {path for path, _ in files_of(self._signed)} if self._signed else set()
        folders = {str(above) for path in own for above in PurePosixPath(path).parents}
        found: list[str] = []
        ahead = [""]
        while ahead and len(found) <= _MOST_EXTRAS:
            inside = ahead.pop()
            with host_faults(self._folder / inside), os.scandir(self._folder / inside) as entries:
                for one in entries:
                    path = f"{inside}{one.name}"
                    if path in folders and one.is_dir(follow_symlinks=False):
                        ahead.append(f"{path}/")
                    elif path not in own:
                        found.append(path)
                    if len(found) > _MOST_EXTRAS:
                        break
        return sorted(found)


def _named(paths: list[str]) -> str:
    return listed(paths, most=_NAMED)
