"""What stands before the payload, as named files: index, signatures, trust documents (FORMAT.md §1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.index import INDEX_NAME
from bundler.offline.signedindex import document_name, signature_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.trustdoc import SignedDocument


def front_files(
    raw_index: bytes, signatures: Sequence[bytes], chain: Sequence[SignedDocument] = ()
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each: the index, then trust documents, each with its signatures behind it."""
    yield from _signed(INDEX_NAME, raw_index, signatures)
    for document in chain:
        yield from _signed(document_name(document.number), document.raw, document.signatures)


def files_of(signed: SignedIndex) -> Iterator[tuple[str, bytes]]:
    """Yield them of what was read; it must still have its chain, which `verify_index` takes off."""
    return front_files(signed.raw, signed.signatures, signed.chain)


def as_members(files: Iterator[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield these files as members of a container."""
    for path, content in files:
        yield ustar.member(path, content)


def _signed(name: str, data: bytes, signatures: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    yield name, data
    for number, one in enumerate(signatures):
        yield signature_name(number, of=name), one
