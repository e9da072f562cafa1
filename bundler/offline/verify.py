"""`verify`: the signatures, then every byte of a bundle; nothing is written (FORMAT.md §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core.index import SUMS_NAME
from bundler.offline.members import by_member, check_sums, copy_member, stored_total
from bundler.offline.reader import Reader, reader_of
from bundler.offline.signedindex import VerifiedIndex, verify_index

if TYPE_CHECKING:
    from typing import BinaryIO

    from bundler.core.progress import Progress
    from bundler.signing.trust import Trust


def verify_bundle(
    stream: BinaryIO | Reader, *, name: str, trust: Trust, progress: Progress, verifier: str = "builtin"
) -> VerifiedIndex:
    """Check all of the bundle in `stream`: afterwards every byte of it is what a trusted signer signed.

    Raises `SignatureFault` or `DamagedFault`.
    """
    reader = reader_of(stream, name=name)
    verified = verify_index(reader.read_signed_index(), trust=trust, name=name, verifier=verifier)
    read_payload(reader, verified, progress=progress)
    return verified


def read_payload(reader: Reader, verified: VerifiedIndex, *, progress: Progress) -> None:
    """Read and check every member, then the end, then what the payload did not need."""
    reader.begin(verified.index)
    index, artifacts = verified.index, by_member(verified.index)
    progress.stage("verify", stored_total(index))
    for member in index.members:
        sums = bytearray()
        copy_member(
            reader,
            member,
            artifacts.get(member.path),
            block_size=index.block_size,
            write=sums.extend if member.path == SUMS_NAME else _nowhere,
            progress=progress,
        )
        if member.path == SUMS_NAME:
            check_sums(index, bytes(sums))
    reader.expect_end()
    reader.check_rest(progress)


def _nowhere(data: bytes) -> None:
    """Drop the bytes: they were hashed on the way."""
