"""A bundle as a folder of plain files, for gates that open every file (FORMAT.md §17, "Exploded").

The way back is that of every other form: `bundler.volumes.recutting`.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.digest import Digest
from bundler.core.durable import host_faults, sync_folder, whole_file
from bundler.core.index import SUMS_NAME
from bundler.core.text import counted
from bundler.core.text import size as show_size
from bundler.errors import HostFault, UsageFault
from bundler.offline.folder import PLAIN, PLAIN_SUMS, plain_artifacts, plain_sums
from bundler.offline.front import files_of
from bundler.offline.members import by_member, check_sums, copy_member, stored_total
from bundler.offline.needs import needs_of, spooled
from bundler.offline.payload import slow_note
from bundler.offline.reader import Reader, reader_of
from bundler.offline.rebuilder import Rebuilder
from bundler.offline.signedindex import VerifiedIndex, verify_index
from bundler.offline.spool import Spool
from bundler.offline.staging import Staging
from bundler.offline.streams import add_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bundler.core.index import Artifact, Index, Member
    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.trust import Trust

_SLACK = 16 << 20  # bytes for folders and the file system's own books


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploded:
    """A finished folder, the list of its files, what it was made of, and the artifacts that it lacks.

    Those need what only hosts with earlier bundles have.
    """

    folder: Path
    listing: Path
    verified: VerifiedIndex
    left_out: tuple[Artifact, ...]


def explode(
    source: BinaryIO | Reader,
    folder: Path,
    *,
    name: str,
    trust: Trust,
    progress: Progress,
    verifier: str = "builtin",
) -> Exploded:
    """Write the bundle as the new `folder`: its members as they are stored, and every other artifact plain.

    The source is read once; every byte of it, and of what comes out, is checked. The folder appears whole or
    not at all. Raises `UsageFault` where `folder` exists, `HostFault` where there is no room, and what
    `verify_bundle` raises.
    """
    check_new(folder)
    reader = reader_of(source, name=name)
    signed = reader.read_signed_index()
    verified = verify_index(signed, trust=trust, name=name, verifier=verifier)
    index, plain = verified.index, plain_artifacts(verified.index)
    _check_space(index, plain, folder)
    reader.begin(index)
    if left_out := _left_out(index, plain):
        progress.note(
            f"{counted(len(left_out), 'file')} can only be rebuilt on a host that has "
            f"{', '.join(one.title for one in index.base)}: not below {PLAIN}/"
        )
    with _appearing(folder) as work, Staging(work / "tree") as staging:
        for path, data in files_of(signed):
            staging.write(path, data)
        _copy(
            _Keeping(reader, staging), index, plain, staging=staging, spool=work / "spool", progress=progress
        )
        if plain:
            staging.write(PLAIN_SUMS, plain_sums(index))
        progress.stage("sync to disk", None)
        staging.finish()
    listing = listing_of(folder)
    with whole_file(listing) as out:
        out.write(_lines(signed, index, plain))
    return Exploded(folder=folder, listing=listing, verified=verified, left_out=left_out)


def listing_of(folder: Path) -> Path:
    """Return where the list of exactly the files of `folder` goes: beside it."""
    return folder.with_name(f"{folder.name}.{SUMS_NAME}")


def check_new(folder: Path) -> None:
    """Raise `UsageFault` where something has that name already, or the folder above it is not there."""
    with host_faults(folder):
        for path in (folder, listing_of(folder)):
            if path.is_symlink() or path.exists():
                raise UsageFault(
                    f"{path}: exists already, expected the name of a new folder, and none for its list",
                    hint="choose another name, or move what is there away",
                )
        if not folder.absolute().parent.is_dir():
            raise UsageFault(
                f"{folder.absolute().parent}: no such folder, expected one for the files of the bundle",
                hint="create it first, or correct the path",
            )


class _Keeping(Reader):
    """Hands on what another reader reads, and writes each member to its file on the way."""

    def __init__(self, inner: Reader, staging: Staging) -> None:
        self._inner = inner
        self._staging = staging

    def read_signed_index(self) -> SignedIndex:
        return self._inner.read_signed_index()

    def begin(self, index: Index) -> None:
        self._inner.begin(index)

    def stored_size(self, index: Index) -> int:
        return self._inner.stored_size(index)

    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:
        with self._staging.file(member.path) as append:
            for block in self._inner.blocks(member, block_size=block_size):
                append(block)
                yield block

    def skip(self, member: Member, *, block_size: int) -> None:
        for _ in self.blocks(member, block_size=block_size):
            pass

    def expect_end(self) -> None:
        self._inner.expect_end()

    def check_rest(self, progress: Progress) -> None:
        self._inner.check_rest(progress)


def _copy(
    reader: Reader,
    index: Index,
    plain: Sequence[Artifact],
    *,
    staging: Staging,
    spool: Path,
    progress: Progress,
) -> None:
    """Read every member once, and write the plain artifacts that come out of them."""
    moved = [replace(one, path=f"{PLAIN}/{one.path}", executable=False) for one in plain]
    rebuilt = [one for one in moved if one.recipe]
    decoded = {one.member: one for one in moved if one.member is not None}
    artifacts, streams, size = by_member(index), needs_of(index, rebuilt).members, index.block_size
    if note := slow_note(rebuilt):
        progress.note(note)
    progress.stage("explode", stored_total(index) + sum(one.size for one in rebuilt))
    with (
        Spool(spool) as contents,
        Rebuilder(rebuilt, spool=contents, staging=staging, progress=progress) as rebuilder,
    ):
        for member in index.members:
            if member.path in streams:
                add_member(contents, reader, member, block_size=size, progress=progress)
                rebuilder.start(member.path)
                continue
            artifact, sums = artifacts.get(member.path), bytearray()
            with _target(decoded.get(member.path), staging, sums, member) as write:
                copy_member(reader, member, artifact, block_size=size, write=write, progress=progress)
            if member.path == SUMS_NAME:
                check_sums(index, bytes(sums))
        reader.expect_end()
        rebuilder.finish()


@contextlib.contextmanager
def _target(
    plain: Artifact | None, staging: Staging, sums: bytearray, member: Member
) -> Iterator[Callable[[bytes], object]]:
    """Give what takes the decoded bytes of a member: its plain file, the list of sums, or nothing."""
    if plain:
        with staging.file(plain.path) as append:
            yield append
    else:
        yield sums.extend if member.path == SUMS_NAME else _nowhere


def _nowhere(data: bytes) -> None:
    """Drop the bytes: they were hashed on the way, and lie in the member's own file."""


def _lines(signed: SignedIndex, index: Index, plain: Sequence[Artifact]) -> bytes:
    """Write the digest of every file of the folder, in coreutils' form, with paths as seen from it."""
    found = [(path, Digest.of(data)) for path, data in files_of(signed)]
    found += [(one.path, one.sha256) for one in index.members]
    found += [(f"{PLAIN}/{one.path}", one.sha256) for one in plain]
    if plain:
        found.append((PLAIN_SUMS, Digest.of(plain_sums(index))))
    return "".join(f"{digest}  {path}\n" for path, digest in found).encode()


def _left_out(index: Index, plain: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """Return the artifacts whose content lies nowhere in the folder as a plain file."""
    there = {one.sha256 for one in plain} | {one.sha256 for one in index.members}
    return tuple(one for one in index.artifacts if one.sha256 not in there)


def _check_space(index: Index, plain: Sequence[Artifact], folder: Path) -> None:
    """Raise `HostFault` where the folder above has no room for all files, and contents meanwhile."""
    needed = stored_total(index) + sum(one.size for one in plain) + spooled(index, needs_of(index, plain))
    above = folder.absolute().parent
    with host_faults(above):
        free = shutil.disk_usage(above).free
    if free < needed + _SLACK:
        raise HostFault(
            f"{above}: {show_size(free)} free, expected {show_size(needed + _SLACK)}",
            hint="make room, or choose a folder on another file system",
        )


@contextlib.contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Give a scratch folder beside `folder`, which its `tree` becomes when the block ends well."""
    above = folder.absolute().parent
    with host_faults(folder):
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=above))
    try:
        yield work
        with host_faults(folder):
            (work / "tree").rename(folder)
            sync_folder(above)
    finally:
        shutil.rmtree(work, ignore_errors=True)
