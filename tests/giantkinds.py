"""Hostile bundles of any size, one of each kind that a reader has to end with in the time that hashing takes."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import zstandard
from giants import MIB, Piece, bomb, noise, plain, program, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def many_tiny(count) -> Iterator[Piece]:
    """Yield pieces of one byte each, under the shortest names."""
    for number in range(count):
        yield plain(program(number), lambda number=number: [bytes([number % 256])])


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(at, 0 if at >= 0 else 2)
        byte = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([byte[0] ^ 1]))


def _whole(path: Path, mib: int) -> None:
    write(path, [plain(program(0), lambda: noise(mib))])


def _last_block(path: Path, mib: int) -> None:
    _whole(path, mib)
    _flip(path, -1024 - 512)  # before the end of the archive; the content ends with a whole block


def _appended(path: Path, mib: int) -> None:
    _whole(path, mib)
    with path.open("ab") as stream:
        stream.write(b"junk")


def _truncated(path: Path, mib: int) -> None:
    _whole(path, mib)
    os.truncate(path, path.stat().st_size - 2000)


def _tiny_members(path: Path, mib: int) -> None:
    write(path, [plain(program(MOST_MEMBERS), lambda: noise(mib)), *many_tiny(MOST_MEMBERS)])


def _small_blocks(path: Path, mib: int) -> None:
    write(path, [plain(program(0), lambda: noise(mib))], block_size=1 << 16)


def _bomb(path: Path, mib: int) -> None:
    write(path, [bomb(program(0), mib, window_log=26)])


def _crumbs(path: Path, mib: int) -> None:
    """A frame of as many blocks as are allowed: 1 KiB each, stored as they are."""
    state, checksum = hashlib.sha256(), zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
    tail = b""
    for data in noise(mib):
        state.update(data)
        tail = (tail + checksum.compress(data))[-8:]
    tail = (tail + checksum.flush())[-4:]
    head = b"\x28\xb5\x2f\xfd\xc4" + bytes([9 << 3]) + (mib * MIB).to_bytes(8, "little")

    def stored():
        yield head
        left = mib * MIB // 1024
        for data in noise(mib):
            pieces = []
            for at in range(0, MIB, 1024):
                left -= 1
                pieces += [(1024 << 3 | (not left)).to_bytes(3, "little"), data[at : at + 1024]]
            yield b"".join(pieces)
        yield tail

    piece = Piece(path=program(0), stored=stored, size=mib * MIB, sha256=state.hexdigest(), encoding="zstd")
    write(path, [piece])


def _zeros(path: Path, mib: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(mib * MIB)


def _garbage(path: Path, mib: int) -> None:
    with path.open("wb") as stream:
        stream.writelines(noise(mib))


MOST_MEMBERS = 16_600  # of one byte each: what 500 000 nodes of JSON admit, and a large one beside them
KINDS = {  # what writes each kind of bundle to a path, with a size in MiB
    "whole": _whole,
    "last block flipped": _last_block,
    "junk appended": _appended,
    "end cut off": _truncated,
    "most members": _tiny_members,
    "digests of 64 KiB": _small_blocks,
    "a bomb of zeros": _bomb,
    "most blocks of zstd": _crumbs,
    "zeros for a bundle": _zeros,
    "garbage for a bundle": _garbage,
}
