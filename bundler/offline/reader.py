"""Read a bundle from one stream, forward only, each byte once (FORMAT.md §1 and §9).

The three steps are three types: `SignedIndex` (bytes, nothing checked), `VerifiedIndex` (a trusted
signature holds; parsed), and the members, whose blocks are authenticated before they are handed on.
"""

from __future__ import annotations

import errno
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.core import ustar
from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    MAX_SIGNATURE_BYTES,
    MAX_SIGNATURES,
    Index,
    Member,
    parse_index,
)
from bundler.errors import DamagedFault, SignatureFault
from bundler.signing.trust import verify_signatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.signing.trust import Signer, Trust

_AGAIN = "copy the bundle from its source again and compare `sha256sum` on both sides"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIndex:
    """The index and its signatures as bytes: read, not checked, not parsed."""

    raw: bytes
    signatures: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """The sha256 of the index, which identifies the bundle."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedIndex:
    """An index under a trusted signature. Made by `verify_index` alone."""

    index: Index
    signed: SignedIndex
    signers: tuple[Signer, ...]


def verify_index(signed: SignedIndex, *, trust: Trust, name: str, verifier: str = "builtin") -> VerifiedIndex:
    """Check the signatures, then parse. Raises `SignatureFault`, or `DamagedFault` for a signed bad index."""
    try:
        signers = verify_signatures(signed.raw, signed.signatures, trust=trust, verifier=verifier)
    except SignatureFault as fault:
        raise SignatureFault(f"{name}: {fault.message}", hint=fault.hint) from None
    return VerifiedIndex(index=parse_named(signed, name=name), signed=signed, signers=signers)


def parse_named(signed: SignedIndex, *, name: str) -> Index:
    """Parse an index without asking who signed it: for `inspect`, and for a packer's own bundle."""
    try:
        return parse_index(signed.raw)
    except Fault as fault:
        raise DamagedFault(f"{name}: {INDEX_NAME}: {fault}", hint=fault.hint or _AGAIN) from None


class BundleReader:
    """One bundle, read from a binary stream; `name` is what messages call it."""

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._stream = stream
        self._name = name
        self._offset = 0
        self._pending: tuple[str, int] | None = None

    def read_signed_index(self) -> SignedIndex:
        """Read the index and the signatures; interprets nothing but their ustar headers.

        Raises `SignatureFault` where there is no signature and `DamagedFault` where this is no bundle.
        """
        path, size = self._header()
        if path != INDEX_NAME:
            raise self._damaged(f"expected {INDEX_NAME} as the first member, found {path!r}")
        raw = self._whole(path, size, limit=MAX_INDEX_BYTES)
        signatures: list[bytes] = []
        while True:
            path, size = self._header()
            if path != signature_name(len(signatures)):
                break
            if len(signatures) == MAX_SIGNATURES:
                raise self._damaged(f"expected at most {MAX_SIGNATURES} signatures, found more")
            signatures.append(self._whole(path, size, limit=MAX_SIGNATURE_BYTES))
        self._pending = (path, size)
        if not signatures:
            raise SignatureFault(
                f"{self._name}: expected {signature_name(0)} after {INDEX_NAME}, found no signature",
                hint="an unsigned bundle is never unpacked: have the packer sign it (`uv-bundler sign`)",
            )
        return SignedIndex(raw=raw, signatures=tuple(signatures))

    @property
    def payload_offset(self) -> int:
        """Where the first member after the signatures begins, in bytes; valid after `read_signed_index`."""
        return self._offset - ustar.BLOCK

    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:
        """Yield the stored bytes of the next member, block by block, each one already authenticated.

        `member` comes from a verified index, in its order. Raises `DamagedFault` at the first bad block.
        """
        self._expect(member)
        for number, digest in enumerate(member.blocks):
            count = min(block_size, member.size - number * block_size)
            at = self._offset
            data = self._exactly(count, what=member.path)
            found = hashlib.sha256(data).hexdigest()
            if found != digest.hex:
                raise self._damaged(
                    f"{member.path}: block {number + 1} of {len(member.blocks)} at byte {at}: "
                    f"sha256 is {found}, expected {digest}"
                )
            yield data
        self._padding(member.path, member.size)

    def skip(self, member: Member, *, block_size: int) -> None:
        """Pass over the next member: by seeking where that is possible, else by reading and checking it."""
        if not self._stream.seekable():
            for _ in self.blocks(member, block_size=block_size):
                pass
            return
        self._expect(member)
        end = self._stream.seek(0, io.SEEK_END)
        if end < self._offset + member.size:
            raise self._damaged(f"ends at byte {end} within {member.path}: the file is truncated")
        self._offset += member.size
        self._stream.seek(self._offset)
        self._padding(member.path, member.size)

    def expect_end(self) -> None:
        """Check that the archive ends here, and the file with it."""
        end = self._exactly(len(ustar.END), what="the end of the archive")
        if any(end):
            raise self._damaged(
                f"expected the end of the archive at byte {self._offset - len(end)}, found more"
            )
        if self._read(1):
            raise self._damaged(f"expected the end of the file at byte {self._offset}, found more bytes")

    def _expect(self, member: Member) -> None:
        if self._pending is None:
            block = self._exactly(ustar.BLOCK, what=f"the header of {member.path}")
            if block != ustar.header(member.path, member.size):
                raise self._damaged(
                    f"byte {self._offset - ustar.BLOCK}: expected the header of {member.path}"
                )
        elif self._pending != (member.path, member.size):
            raise self._damaged(f"expected {member.path} after the signatures, found {self._pending[0]!r}")
        self._pending = None

    def _header(self) -> tuple[str, int]:
        block = self._exactly(ustar.BLOCK, what="a member's header")
        try:
            return ustar.parse_header(block)
        except Fault as fault:
            raise self._damaged(f"byte {self._offset - ustar.BLOCK}: {fault}") from None

    def _whole(self, path: str, size: int, *, limit: int) -> bytes:
        if size > limit:
            raise self._damaged(f"{path}: expected at most {limit} bytes, found {size}")
        data = self._exactly(size, what=path)
        self._padding(path, size)
        return data

    def _padding(self, path: str, size: int) -> None:
        if any(self._exactly(-size % ustar.BLOCK, what=f"the padding of {path}")):
            raise self._damaged(f"{path}: expected zeros after its last byte")

    def _exactly(self, count: int, *, what: str) -> bytes:
        data = self._read(count)
        while len(data) < count:
            more = self._read(count - len(data))
            if not more:
                break
            data += more
        if len(data) < count:
            raise self._damaged(
                f"ends at byte {self._offset + len(data)} within {what}, which needs "
                f"{count - len(data)} bytes more: the file is truncated, or is no bundle"
            )
        self._offset += count
        return data

    def _read(self, count: int) -> bytes:
        with host_faults(Path(self._name)):
            data = self._stream.read(count)
            if data is None:  # a non-blocking descriptor, inherited: that is no end, and no damage
                raise BlockingIOError(errno.EAGAIN, "has no bytes now and does not wait for them")
            return data

    def _damaged(self, message: str) -> DamagedFault:
        return DamagedFault(f"{self._name}: {message}", hint=_AGAIN)


def signature_name(number: int) -> str:
    """Return the name of a signature's member, counted from 0: `bundle.json.sig`, `bundle.json.1.sig`."""
    return f"{INDEX_NAME}.{number}.sig" if number else f"{INDEX_NAME}.sig"
