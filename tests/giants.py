"""Hostile bundles that are as large as the limits allow, written without holding them in memory."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard
from bundles import HOST, PACKER

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.core.index import FORMAT, MAX_INDEX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An artifact and how it is stored; `stored` gives the same bytes at every call."""

    path: str
    stored: Callable[[], Iterable[bytes]]
    size: int
    sha256: str
    encoding: str = "identity"
    role: str = "uv"
    key: str | None = None


def program(number):
    """Return a path that an index may give to a program of uv."""
    return f"uv/0.13.{number}/{HOST}/uv"


@functools.cache
def noise_block(seed):
    """Return 1 MiB that does not compress."""
    return random.Random(seed).randbytes(MIB)


def noise(count, *, seed=1):
    """Yield `count` MiB that do not compress and are made quickly."""
    block = noise_block(seed)
    for number in range(count):
        yield number.to_bytes(8, "big") + block[8:]


def plain(path, chunks, **more) -> Piece:
    """Return a piece that is stored as it is."""
    state, size = hashlib.sha256(), 0
    for data in chunks():
        state.update(data)
        size += len(data)
    return Piece(path=path, stored=chunks, size=size, sha256=state.hexdigest(), **more)


def bomb(path, mib, *, window_log=27, chunk=bytes(MIB), **more) -> Piece:
    """Return a piece of `mib` times `chunk`, which is 1 MiB, that is stored in a frame with such a window."""
    options = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=window_log, write_checksum=True, write_content_size=True
    )
    packer = zstandard.ZstdCompressor(compression_params=options).compressobj(size=mib * MIB)
    state, stored = hashlib.sha256(), []
    for _ in range(mib):
        state.update(chunk)
        stored.append(packer.compress(chunk))
    stored = [b"".join([*stored, packer.flush()])]
    return Piece(
        path=path, stored=lambda: stored, size=mib * MIB, sha256=state.hexdigest(), encoding="zstd", **more
    )


def write(
    path: Path,
    pieces: Iterable[Piece],
    *,
    block_size=MIB,
    packer=PACKER,
    signatures=None,
    claimed=((), ()),
    chain=(),
    **changes,
) -> None:
    """Write a bundle of these pieces, truly signed; `changes` are keys of its index."""
    pieces = list(pieces)
    members, artifacts, listing = [], [], []
    for piece in pieces:
        member = f"payload/{piece.path}"
        digests, whole, size = _digests(piece.stored(), block_size)
        members.append(
            {"path": member, "size": size, "sha256": whole, "encoding": piece.encoding, "blocks": digests}
        )
        artifacts.append(
            {
                "path": piece.path,
                "size": piece.size,
                "sha256": piece.sha256,
                "role": piece.role,
                "member": member,
            }
        )
        if piece.key:
            artifacts[-1]["key"] = piece.key
        listing.append(f"{whole}  {member}\n")
    listing += [f"{one['sha256']}  {one['path']}\n" for one in claimed[0]]
    sums = "".join(listing).encode()
    digests, whole, size = _digests([sums], block_size)
    members.insert(
        0, {"path": "SHA256SUMS", "size": size, "sha256": whole, "encoding": "identity", "blocks": digests}
    )
    raw = index(
        members=[*members, *claimed[0]], artifacts=[*artifacts, *claimed[1]], block_size=block_size, **changes
    )
    assert len(raw) <= MAX_INDEX_BYTES
    with path.open("wb") as out:
        for data in front(raw, signatures or [packer.sign(raw)], chain):
            out.write(data)
        for member, chunks in zip(
            members, itertools.chain([[sums]], (piece.stored() for piece in pieces)), strict=True
        ):
            out.write(ustar.header(member["path"], member["size"]))
            for data in chunks:
                out.write(data)
            out.write(ustar.padding(member["size"]))
        if not claimed[0]:
            out.write(ustar.END)


def index(**changes) -> bytes:
    """Return an index as short as JSON allows."""
    document = {
        "format": FORMAT, "requires": [], "name": "plant-7", "release": "2026Q4", "serial": 7, "tool": "giants",
        "created": "2026-11-20T00:00:00Z", "uv": ["0.13.8"], "platforms": [str(HOST)], "block_size": MIB,
        "artifacts": [], "members": [], **changes,
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def _digests(chunks, block_size):
    whole, digests, rest, size = hashlib.sha256(), [], bytearray(), 0
    for data in chunks:
        whole.update(data)
        size += len(data)
        rest += data
        while len(rest) >= block_size:
            digests.append(hashlib.sha256(rest[:block_size]).hexdigest())
            del rest[:block_size]
    if rest:
        digests.append(hashlib.sha256(rest).hexdigest())
    return digests, whole.hexdigest(), size


def claimed_blocks(room) -> tuple[list, list]:
    """Return members and artifacts that fill so many bytes of an index with digests; nothing of them is stored."""
    members, artifacts, digest = [], [], "0" * 64
    while (count := min(100_000, (room - 600) // 67)) > 0:
        path, size = program(1000 + len(members)), count << 16
        blocks = [f"{one:064x}" for one in range(count)]
        members.append(
            {"path": f"payload/{path}", "size": size, "sha256": digest, "encoding": "zstd", "blocks": blocks}
        )
        artifacts.append(
            {"path": path, "size": size, "sha256": digest, "role": "uv", "member": f"payload/{path}"}
        )
        room -= count * 67 + 600
    return members, artifacts


def claimed_members(count, *, origin=0) -> tuple[list, list]:
    """Return so many small members and artifacts, each with a URL of so many characters."""
    members, artifacts, digest = [], [], "0" * 64
    for number in range(1000, 1000 + count):
        path = program(number)
        members.append(
            {"path": f"payload/{path}", "size": 1, "sha256": digest, "encoding": "zstd", "blocks": [digest]}
        )
        artifact = {"path": path, "size": 1, "sha256": digest, "role": "uv", "member": f"payload/{path}"}
        artifacts.append(artifact | ({"origin": f"{number:0{origin}d}"} if origin else {}))
    return members, artifacts
