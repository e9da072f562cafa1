"""Write a bundle: store each artifact's content, name every byte in the index, lay out the container.

The same ingredients give the same bytes (with the same zstandard release): FORMAT.md §1 and §3.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import zstandard

from bundler.core.digest import CHUNK, Digest, read_chunks
from bundler.core.index import (
    BLOCK_SIZE,
    IDENTITY,
    MIN_BLOCK_SIZE,
    SUMS_NAME,
    ZSTD,
    Artifact,
    Content,
    Member,
)
from bundler.errors import DamagedFault, SourceFault
from bundler.offline.front import as_members, front_files
from bundler.offline.members import sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.signing.trustdoc import SignedDocument

LEVELS = {"fast": 3, "default": 9, "best": 19}  # zstd's; README has what they cost and save
_SAMPLE = 1 << 20  # bytes compressed to learn whether a file shrinks at all
_WORTH = 0.97  # what a sample must shrink to, or the file is stored as it is
_MOST_BLOCKS = 8192  # of a bundle with blocks smaller than 1 MiB
_MEMORY = 100 << 20  # bytes for compressors at work; one of level 19 takes 81 MiB, of level 9 10 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient(Content):
    """A file for the bundle, and where its bytes are now."""

    source: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A member and the file that holds its bytes."""

    member: Member
    artifact: Artifact | None
    file: Path


def store_all(
    ingredients: Sequence[Ingredient], *, level: str, spool: Path, progress: Progress
) -> tuple[Stored, ...]:
    """Store every ingredient as a member of its own, `SHA256SUMS` first; `spool` takes what is compressed.

    Raises `SourceFault` where a file is not what its ingredient says: it changed since it was fetched.
    """
    return with_sums(store_plain(ingredients, level=level, spool=spool, progress=progress), spool)


def store_plain(
    ingredients: Sequence[Ingredient], *, level: str | None, spool: Path, progress: Progress
) -> tuple[Stored, ...]:
    """Store every ingredient as a member of its own; raises `SourceFault` as `store_all` does.

    Without a level nothing is compressed: each member is the upstream file.
    """
    ordered = sorted(ingredients, key=lambda one: (one.size > CHUNK, one.path))
    progress.stage("compress" if level else "read", sum(one.size for one in ordered))
    with ThreadPoolExecutor(_workers(level)) as pool:
        jobs = [
            pool.submit(_store, one, level, spool / str(number), progress)
            for number, one in enumerate(ordered)
        ]
        try:
            return tuple(job.result() for job in jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C waits for two files, not for all
            raise


def with_sums(stored: Sequence[Stored], spool: Path) -> tuple[Stored, ...]:
    """Put `SHA256SUMS` of all of them first."""
    listing = sums(tuple(one.member for one in stored))
    file = spool / SUMS_NAME
    file.write_bytes(listing)
    member = measure(SUMS_NAME, read_chunks(file, chunk=BLOCK_SIZE), encoding=IDENTITY)
    return (Stored(member=member, artifact=None, file=file), *stored)


def _workers(level: str | None) -> int:
    """Return how many files are compressed at once: as many as there are cores, and memory for."""
    if level is None:
        return os.cpu_count() or 1
    each = zstandard.ZstdCompressionParameters.from_level(LEVELS[level]).estimated_compression_context_size()
    return max(1, min(os.cpu_count() or 1, _MEMORY // each))


def _store(one: Ingredient, level: str | None, spool: Path, progress: Progress) -> Stored:
    if level is not None and _shrinks(one.source, one.size):
        name, file, encoding = f"payload/{one.path}.zst", spool, ZSTD
        digest = _compress(one, LEVELS[level], file, progress)
        member = measure(name, read_chunks(file, chunk=BLOCK_SIZE), encoding=encoding)
    else:
        name, file, encoding = f"payload/{one.path}", one.source, IDENTITY
        member = measure(name, _watched(read_chunks(file, chunk=BLOCK_SIZE), progress), encoding=encoding)
        digest = member.sha256
    if digest != one.sha256:
        raise SourceFault(
            f"{one.source}: expected sha256 {one.sha256} for {one.path}, found {digest}",
            hint="the file changed after it was fetched: run the command again, it is fetched anew",
        )
    return Stored(member=member, artifact=Artifact.of(one, member=member.path), file=file)


def _shrinks(file: Path, size: int) -> bool:
    """Tell by samples from its beginning, middle and end whether zstd makes the file smaller."""
    sample = bytearray()
    with file.open("rb") as stream:
        if size <= 3 * _SAMPLE:  # samples that overlap would find each other, and anything would shrink
            sample += stream.read(3 * _SAMPLE)
        else:
            for at in (0, size // 2, size - _SAMPLE):
                stream.seek(at)
                sample += stream.read(_SAMPLE)
    return bool(sample) and len(zstandard.ZstdCompressor(level=1).compress(bytes(sample))) < _WORTH * len(
        sample
    )


def _compress(one: Ingredient, level: int, file: Path, progress: Progress) -> Digest:
    state = hashlib.sha256()
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            level, source_size=one.size, write_checksum=True, write_content_size=True
        )
    )
    try:
        with file.open("wb") as out, compressor.stream_writer(out, size=one.size, closefd=False) as writer:
            for data in _watched(read_chunks(one.source), progress):
                state.update(data)
                writer.write(data)
    except zstandard.ZstdError:
        return Digest(state.hexdigest())  # another size than promised: the digest differs as well
    return Digest(state.hexdigest())


def _watched(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for data in chunks:
        yield data
        progress.advance(len(data))


def measure(path: str, blocks: Iterator[bytes], *, encoding: str) -> Member:
    """Return the member that the blocks are, with the digest of each and of all."""
    whole, digests, size = hashlib.sha256(), [], 0
    for block in blocks:
        whole.update(block)
        digests.append(Digest.of(block))
        size += len(block)
    return Member(
        path=path, size=size, sha256=Digest(whole.hexdigest()), encoding=encoding, blocks=tuple(digests)
    )


def block_size_for(total: int) -> int:
    """Return the bytes of a block in a bundle that stores `total`: 64 KiB up to 512 MiB, 1 MiB beyond 4 GiB.

    The smaller a block, the more single bad sectors parity recovers; an index has 70 bytes for each.
    """
    size = MIN_BLOCK_SIZE
    while size < BLOCK_SIZE and total > size * _MOST_BLOCKS:
        size *= 2
    return size


def in_blocks(stored: Sequence[Stored], block_size: int) -> tuple[Stored, ...]:
    """Return the same members with the digests of blocks of this size, each file read once more."""
    if block_size == BLOCK_SIZE:
        return tuple(stored)

    def cut(one: Stored) -> Stored:
        digests = tuple(Digest.of(data) for data in read_chunks(one.file, chunk=block_size))
        return replace(one, member=replace(one.member, blocks=digests))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return tuple(pool.map(cut, stored))


def stored_blocks(stored: Sequence[Stored], *, block_size: int) -> Iterator[bytes]:
    """Yield the blocks of all members; raises `DamagedFault` where a stored file changed in between."""
    for one in stored:
        digests = iter(one.member.blocks)
        for data in read_chunks(one.file, chunk=block_size):
            if next(digests, None) != Digest.of(data):
                raise _changed(one.file)
            yield data
        if next(digests, None):
            raise _changed(one.file)


def _changed(file: Path) -> DamagedFault:
    return DamagedFault(f"{file}: changed while it was packed", hint="run the command again")


def front(
    raw_index: bytes, signatures: Sequence[bytes], chain: Sequence[SignedDocument] = ()
) -> Iterator[bytes]:
    """Yield the members before the payload: the index, then trust documents, each with its signatures."""
    return as_members(front_files(raw_index, signatures, chain))
