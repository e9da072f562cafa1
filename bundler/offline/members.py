"""One member out of a bundle: authenticated, decoded, hashed again (FORMAT.md §9, step 5)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bundler.core.decode import decode
from bundler.core.fault import Fault
from bundler.core.index import IDENTITY, SUMS_NAME
from bundler.errors import DamagedFault
from bundler.offline.hashing import HashBeside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bundler.core.index import Artifact, Index, Member
    from bundler.core.progress import Progress
    from bundler.offline.reader import Reader

REPACK = "the packer signed a bundle that is not whole: have it packed again"


def copy_member(
    reader: Reader,
    member: Member,
    artifact: Artifact | None,
    *,
    block_size: int,
    write: Callable[[bytes], object],
    progress: Progress,
) -> None:
    """Read the next member, hand the artifact's bytes to `write`, and check every digest of it.

    `artifact` is None for `SHA256SUMS` and for streams; the content of one with a prefix is not decoded,
    because it needs what earlier bundles brought. Raises `DamagedFault`; what was written until then is worth
    nothing.
    """
    size = artifact.size if artifact else member.size if member.content is None else member.content
    encoding = IDENTITY if member.prefix else member.encoding
    plain = encoding == IDENTITY
    with HashBeside() as content:
        with authenticated(reader, member, block_size=block_size, progress=progress) as blocks:
            for data in decode(blocks, encoding=encoding, size=size):
                if not plain:
                    content.update(data)
                write(data)
        if artifact and not plain and content.result() != (artifact.sha256, artifact.size):
            raise DamagedFault(
                f"{member.path}: expected {artifact.path} with sha256 {artifact.sha256} out of it",
                hint=REPACK,
            )


@contextlib.contextmanager
def authenticated(
    reader: Reader, member: Member, *, block_size: int, progress: Progress
) -> Iterator[Iterator[bytes]]:
    """Give the stored bytes of the next member, which the block reads to their end; then compare the whole.

    Raises `DamagedFault`, also for what the block finds wrong with their content.
    """
    with HashBeside() as stored:

        def blocks() -> Iterator[bytes]:
            for block in reader.blocks(member, block_size=block_size):
                stored.update(block)
                progress.advance(len(block))
                yield block

        try:
            yield blocks()
        except Fault as fault:
            raise DamagedFault(f"{member.path}: {fault}", hint=REPACK) from None
        if stored.result() != (member.sha256, member.size):
            raise DamagedFault(
                f"{member.path}: the blocks hold, but not the sha256 of the whole", hint=REPACK
            )


def by_member(index: Index) -> dict[str, Artifact]:
    """Return the artifact of each member that is one; `SHA256SUMS` and streams are none."""
    return {artifact.member: artifact for artifact in index.artifacts if artifact.member is not None}


def stored_total(index: Index) -> int:
    """Return the bytes of all members as they are stored."""
    return sum(member.size for member in index.members)


def check_sums(index: Index, text: bytes) -> None:
    """Check that `SHA256SUMS` says what the index says; raises `DamagedFault`."""
    if text != sums(index.members):
        raise DamagedFault(f"{SUMS_NAME}: expected the digests of the index, found others", hint=REPACK)


def sums(members: tuple[Member, ...]) -> bytes:
    """Write `SHA256SUMS` for every member but itself, in coreutils' form."""
    lines = (f"{member.sha256}  {member.path}\n" for member in members if member.path != SUMS_NAME)
    return "".join(lines).encode()
