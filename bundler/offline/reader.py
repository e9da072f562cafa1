"""Read a bundle from one stream, forward only, each byte once (FORMAT.md §1 and §9).

After the index come the members, whose blocks are authenticated before they are handed on.
"""

from __future__ import annotations

import abc
import hashlib
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from bundler.core import ustar
from bundler.core.index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    MAX_SIGNATURE_BYTES,
    MAX_SIGNATURES,
    SUMS_NAME,
    Index,
    Member,
)
from bundler.errors import BundlerError, SignatureFault
from bundler.offline.signedindex import SignedIndex, signature_name
from bundler.offline.tarstream import TarStream
from bundler.signing.trustdoc import MAX_CHAIN, MAX_DOCUMENT_BYTES, MAX_VERSION, SignedDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.progress import Progress

_DOCUMENT = re.compile(r"trust/([1-9][0-9]{0,9})\.json")


class Reader(abc.ABC):
    """One bundle, wherever its bytes lie: the signed index first, then each member's blocks, in order."""

    @abc.abstractmethod
    def read_signed_index(self) -> SignedIndex:
        """Return the index, its signatures and the chain of trust documents; interprets nothing but headers.

        Raises `SignatureFault` where there is no signature and `DamagedFault` where this is no bundle.
        """

    @abc.abstractmethod
    def begin(self, index: Index) -> None:
        """Say which index was accepted: what follows are its members, in its order.

        Raises `IncompleteFault` where files of the bundle are missing.
        """

    @abc.abstractmethod
    def stored_size(self, index: Index) -> int:
        """Return the bytes that the bundle takes where it lies now; valid after `read_signed_index`."""

    @abc.abstractmethod
    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:
        """Yield the stored bytes of the next member, block by block, each one already authenticated.

        `member` comes from a verified index, in its order. Raises `DamagedFault` at the first bad block.
        """

    @abc.abstractmethod
    def skip(self, member: Member, *, block_size: int) -> None:
        """Pass over the next member, unread where that is possible."""

    @abc.abstractmethod
    def expect_end(self) -> None:
        """Check that nothing stands where the bundle should end."""

    def parts(self) -> list[dict[str, Any]]:
        """Return which files of a bundle in several files are here, for `inspect`; none for one file."""
        return []

    @abc.abstractmethod
    def check_rest(self, progress: Progress) -> None:
        """Read and check what the payload did not need: for `verify`."""


def reader_of(source: BinaryIO | Reader, *, name: str) -> Reader:
    """Return the reader of a bundle in one stream, or the one that `source` is; messages call it `name`."""
    return source if isinstance(source, Reader) else BundleReader(source, name=name)


class BundleReader(Reader):
    """One bundle, read from a binary stream, each byte once; `name` is what messages call it."""

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._archive = TarStream(stream, name=name)
        self._name = name
        self._pending: tuple[str, int] | None = None  # a header that was read before its member is wanted
        self._peeked: SignedIndex | BundlerError | None = None

    def read_signed_index(self) -> SignedIndex:
        """Read what stands before the payload; `SHA256SUMS` comes next, and nothing else may."""
        signed = self.read_front()
        if self._pending is None or self._pending[0] != SUMS_NAME:
            found = self._pending[0] if self._pending else "the end"
            raise self._archive.damaged(
                f"expected {SUMS_NAME} after the signatures and trust documents, found {found!r}"
            )
        return signed

    def peek(self) -> str | None:
        """Read the front ahead, and return what stands after it; None where it cannot be read.

        `read_front` gives then what was read, or raises what was wrong: each byte is read once.
        """
        try:
            self._peeked = self.read_front()
        except BundlerError as fault:
            self._peeked = fault
            return None
        return self.next_member[0]

    @property
    def peeked_digest(self) -> str | None:
        """The digest of the index that was read ahead; None where there is none."""
        return self._peeked.digest if isinstance(self._peeked, SignedIndex) else None

    def read_front(self) -> SignedIndex:
        """Read the index, its signatures and the trust documents; the header after them is pending then."""
        peeked, self._peeked = self._peeked, None
        if isinstance(peeked, BundlerError):
            raise peeked
        if peeked is not None:
            return peeked
        path, size = self._archive.header()
        if path != INDEX_NAME:
            raise self._archive.damaged(f"expected {INDEX_NAME} as the first member, found {path!r}")
        raw = self._archive.whole(path, size, limit=MAX_INDEX_BYTES)
        self._pending = self._archive.header()
        signatures = self._signatures(INDEX_NAME)
        if not signatures:
            raise SignatureFault(
                f"{self._name}: expected {signature_name(0)} after {INDEX_NAME}, found no signature",
                hint="an unsigned bundle is never unpacked: have the packer sign it (`uv-bundler sign`)",
            )
        return SignedIndex(raw=raw, signatures=signatures, chain=self._chain())

    def _signatures(self, of: str) -> tuple[bytes, ...]:
        """Read the signatures of the member `of` that come next; the header after them is pending then."""
        found: list[bytes] = []
        while self._pending and self._pending[0] == signature_name(len(found), of=of):
            if len(found) == MAX_SIGNATURES:
                raise self._archive.damaged(
                    f"expected at most {MAX_SIGNATURES} signatures of {of}, found more"
                )
            found.append(self._archive.whole(*self._pending, limit=MAX_SIGNATURE_BYTES))
            self._pending = self._archive.header()
        return tuple(found)

    def _chain(self) -> tuple[SignedDocument, ...]:
        """Read the trust documents that come next, each one more than the one before, and signed."""
        chain: list[SignedDocument] = []
        while self._pending and (named := _DOCUMENT.fullmatch(self._pending[0])):
            path, size = self._pending
            number = int(named[1])
            if number > MAX_VERSION or (chain and number != chain[-1].number + 1):
                break  # it is not what may come next
            if len(chain) == MAX_CHAIN:
                raise self._archive.damaged(f"expected at most {MAX_CHAIN} trust documents, found more")
            raw = self._archive.whole(path, size, limit=MAX_DOCUMENT_BYTES)
            self._pending = self._archive.header()
            signatures = self._signatures(path)
            if not signatures:
                raise self._archive.damaged(
                    f"expected {signature_name(0, of=path)} after {path}, found {self._pending[0]!r}"
                )
            chain.append(SignedDocument(raw=raw, signatures=signatures, number=number))
        return tuple(chain)

    @property
    def next_member(self) -> tuple[str, int]:
        """Name and size in the header that was read after the front; valid after `read_front`."""
        return self._pending or ("", 0)

    @property
    def payload_offset(self) -> int:
        """Where the member after the front begins, in bytes; valid after `read_signed_index`."""
        return self._archive.offset - ustar.BLOCK

    def stored_size(self, index: Index) -> int:
        """Return the bytes of the file."""
        payload = sum(ustar.stored_size(member.size) for member in index.members)
        return self.payload_offset + payload + len(ustar.END)

    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:
        """Yield the stored bytes of the next member, block by block, each one already authenticated."""
        self._expect(member)
        for number, digest in enumerate(member.blocks):
            count = min(block_size, member.size - number * block_size)
            at = self._archive.offset
            data = self._archive.exactly(count, what=member.path)
            found = hashlib.sha256(data).hexdigest()
            if found != digest.hex:
                raise self._archive.damaged(
                    f"{member.path}: block {number + 1} of {len(member.blocks)} at byte {at}: "
                    f"sha256 is {found}, expected {digest}"
                )
            yield data
        self._archive.padding(member.path, member.size)

    def skip(self, member: Member, *, block_size: int) -> None:
        """Pass over the next member: by seeking where that is possible, else by reading and checking it."""
        if self._archive.seekable:
            self._expect(member)
            self._archive.pass_over(member)
        else:
            for _ in self.blocks(member, block_size=block_size):
                pass

    def expect_end(self) -> None:
        """Check that the archive ends here, and the file with it."""
        self._archive.expect_end()

    def begin(self, index: Index) -> None:
        """Do nothing: each member's header says whether it is the index's."""

    def check_rest(self, progress: Progress) -> None:
        """Do nothing: a stream has no byte that the payload did not need."""

    def _expect(self, member: Member) -> None:
        if self._pending is None:
            self._archive.expect_header(member)
        elif self._pending != (member.path, member.size):
            raise self._archive.damaged(
                f"expected {member.path} of {member.size} bytes as in the index, found {self._pending[1]}"
            )
        self._pending = None
