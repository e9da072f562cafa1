"""Bundles: one whose bytes were changed after it was signed, and one by a packer who signs anything."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import zstandard
from bundles import PACKER

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.core.fault import Fault
from bundler.core.index import SUMS_NAME
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, PolicyFault, SignatureFault
from bundler.offline.members import by_member, copy_member
from bundler.offline.reader import BundleReader
from bundler.offline.signedindex import verify_index
from bundler.offline.verify import verify_bundle

from .documents import assert_index
from .target import CORPUS

if TYPE_CHECKING:
    from bundler.core.index import Index

FILL = "0" * 64  # in an index of `check_signed`: put the right digest here before it is signed
_TRUST = PACKER.trust
_REFUSED = (DamagedFault, SignatureFault)


class Pipe(io.BytesIO):
    """A stream in which nothing can be skipped."""

    def seekable(self) -> bool:
        return False


def check_changed(data: bytes) -> bool:
    """Bytes that the packer did not sign are refused, or what is handed on is exactly what was signed.

    All that may differ in an accepted bundle are the signatures and documents that the index does not cover, and
    there is one way to lay them out.
    """
    handed = _handed_on(io.BytesIO(data))
    try:
        verify_bundle(io.BytesIO(data), name="fuzz", trust=_TRUST, progress=Silent())
    except _REFUSED:
        assert handed is None
        return False
    assert handed is not None
    original, rest = _original()
    assert handed == original
    signed = BundleReader(io.BytesIO(data), name="fuzz").read_signed_index()
    assert data == b"".join(front(signed.raw, signed.signatures, signed.chain)) + rest
    assert _handed_on(Pipe(data), skip=True) == _handed_on(io.BytesIO(data), skip=True)
    return True


def _handed_on(stream: io.BytesIO, *, skip: bool = False) -> tuple[bytes, ...] | None:
    """Return the index and what each member was decoded to, or None where the bundle was refused."""
    reader = BundleReader(stream, name="fuzz")
    try:
        verified = verify_index(reader.read_signed_index(), trust=_TRUST, name="fuzz")
        out = _members(reader, verified.index, skip=skip)
        reader.expect_end()
    except _REFUSED:
        return None
    return (verified.signed.raw, *out)


def _members(reader: BundleReader, index: Index, *, skip: bool) -> list[bytes]:
    """Read all members, or with `skip` every other one; assert that none exceeds what the index says."""
    artifacts, out = by_member(index), []
    for number, member in enumerate(index.members):
        if skip and number % 2:
            reader.skip(member, block_size=index.block_size)
            continue
        artifact = artifacts.get(member.path)
        budget, plain = artifact.size if artifact else member.size, bytearray()

        def write(data: bytes, plain: bytearray = plain, budget: int = budget) -> None:
            plain.extend(data)
            assert len(plain) <= budget

        copy_member(
            reader, member, artifact, block_size=index.block_size, write=write, progress=Silent()
        )  # fmt: skip
        out.append(bytes(plain))
    return out


@functools.cache
def _original() -> tuple[tuple[bytes, ...], bytes]:
    """Return what the seed `ok-whole` hands on, and all of it from `SHA256SUMS` on."""
    whole = (CORPUS / "container" / "ok-whole").read_bytes()
    handed = _handed_on(io.BytesIO(whole))
    assert handed
    return handed, whole[whole.index(SUMS_NAME.encode() + bytes(90)) :]


def check_signed(data: bytes) -> bool:
    """What is behind a good signature is refused as damaged, or holds everything that the format promises.

    The input is an index, a NUL, and the stored bytes of its members one after the other.
    """
    bundle = build(data)
    reader = BundleReader(io.BytesIO(bundle), name="fuzz")
    try:
        index = verify_index(reader.read_signed_index(), trust=_TRUST, name="fuzz").index
    except (DamagedFault, PolicyFault):
        return False
    assert_index(index)
    try:
        verify_bundle(io.BytesIO(bundle), name="fuzz", trust=_TRUST, progress=Silent())
    except DamagedFault:
        with contextlib.suppress(DamagedFault):
            _members(reader, index, skip=False)
        return False
    sums, *plain = out = _members(reader, index, skip=False)
    reader.expect_end()
    assert len(plain) == len(index.artifacts)
    assert sums.decode() == "".join(f"{one.sha256}  {one.path}\n" for one in index.members[1:])
    artifacts = by_member(index)
    for member, content in zip(index.members, out, strict=True):
        said = artifacts.get(member.path, member)
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (said.sha256.hex, said.size)
    return True


def build(data: bytes) -> bytes:
    """Return a bundle with the index in `data`, signed by the test packer, and the members in `data`."""
    raw, _, payload = data.partition(b"\0")
    try:
        document = json.loads(raw)
        pieces, left = _fill(document, payload)
        raw = json.dumps(document).encode("utf-8", "surrogatepass")
        headed = (
            ustar.header(name, len(piece)) + piece + ustar.padding(len(piece)) for name, piece in pieces
        )
        members = b"".join(headed) + left
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, Fault):
        members = payload
    return b"".join(front(raw, [PACKER.sign(raw)])) + members + ustar.END


def _fill(document: Any, payload: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """Put right digests where the index has `FILL`; return the members as they are stored, and what is left.

    A `SHA256SUMS` of size 0 gets the content that it should have.
    """
    block = max(1 << 16, document["block_size"])
    stored: dict[str, bytes] = {}
    for member in document["members"]:
        stored[member["path"]], payload = payload[: member["size"]], payload[member["size"] :]
        if member["path"] != SUMS_NAME:
            _digest(member, stored[member["path"]], block)
    for artifact in document["artifacts"]:
        if artifact["sha256"] == FILL:
            artifact["sha256"] = hashlib.sha256(_plain(stored.get(artifact["member"], b""))).hexdigest()
    for member in document["members"]:
        if member["path"] == SUMS_NAME:
            lines = [f"{one['sha256']}  {one['path']}\n" for one in document["members"] if one is not member]
            if member["size"] == 0:
                stored[SUMS_NAME] = "".join(lines).encode()
                member["size"] = len(stored[SUMS_NAME])
            _digest(member, stored[SUMS_NAME], block)
    return [(member["path"], stored[member["path"]]) for member in document["members"]], payload


def _digest(member: Any, piece: bytes, block: int) -> None:
    if member["sha256"] == FILL:
        member["sha256"] = hashlib.sha256(piece).hexdigest()
        blocks = [piece[at : at + block] for at in range(0, len(piece), block)]
        member["blocks"] = [hashlib.sha256(one).hexdigest() for one in blocks]


def _plain(stored: bytes) -> bytes:
    """Return what `stored` holds, where that is a frame of at most 64 KiB; else `stored` itself."""
    try:
        if zstandard.frame_content_size(stored) <= 1 << 16:  # or zstandard asks for whatever the frame says
            return zstandard.ZstdDecompressor().decompress(stored, max_output_size=1 << 16)
    except zstandard.ZstdError:
        pass
    return stored
