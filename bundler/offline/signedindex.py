"""From a signed index to a verified one (FORMAT.md §9, steps 1 to 3).

Two steps are two types: `SignedIndex` (bytes, nothing checked) and `VerifiedIndex` (a trusted signature
holds; parsed).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.index import INDEX_NAME, Index, parse_index
from bundler.errors import DamagedFault, SignatureFault
from bundler.offline.tarstream import COPY_AGAIN
from bundler.signing.trust import verify_signatures
from bundler.signing.trustwalk import walk

if TYPE_CHECKING:
    from datetime import datetime

    from bundler.signing.trust import Signer, Trust
    from bundler.signing.trustdoc import SignedDocument
    from bundler.signing.trustwalk import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIndex:
    """The index, its signatures, and the trust documents beside it as bytes: not checked, not parsed."""

    raw: bytes
    signatures: tuple[bytes, ...]
    chain: tuple[SignedDocument, ...] = ()

    @property
    def digest(self) -> str:
        """The sha256 of the index, which identifies the bundle."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedIndex:
    """An index under enough trusted signatures. Made by `verify_index` alone.

    `trust` is what they were judged by: what `verify_index` was given, after the `steps` that the bundle's
    trust documents led it through; `signed` has these documents no more.
    """

    index: Index
    signed: SignedIndex
    signers: tuple[Signer, ...]
    trust: Trust
    steps: tuple[Step, ...] = ()


def verify_index(
    signed: SignedIndex,
    *,
    trust: Trust,
    name: str,
    verifier: str = "builtin",
    now: datetime | None = None,
) -> VerifiedIndex:
    """Walk the trust documents, check the signatures by what that gives, then parse; writes nothing.

    `now` is what dates in a trust file are compared with: by default this machine's clock. Raises
    `SignatureFault`, or `DamagedFault` for a signed bad index.
    """
    try:
        walked, steps = walk(trust, signed.chain, now=now, verifier=verifier)
        signers = verify_signatures(signed.raw, signed.signatures, trust=walked, verifier=verifier, now=now)
    except SignatureFault as fault:
        raise SignatureFault(f"{name}: {fault.message}", hint=fault.hint) from None
    index = parse_named(signed, name=name)
    judged = replace(signed, chain=())  # up to 32 MiB that nobody needs while the payload is read
    return VerifiedIndex(index=index, signed=judged, signers=signers, trust=walked, steps=steps)


def parse_named(signed: SignedIndex, *, name: str) -> Index:
    """Parse an index without asking who signed it: for `inspect`, and for a packer's own bundle."""
    try:
        return parse_index(signed.raw)
    except Fault as fault:
        raise DamagedFault(f"{name}: {INDEX_NAME}: {fault}", hint=fault.hint or COPY_AGAIN) from None


def signature_name(number: int, *, of: str = INDEX_NAME) -> str:
    """Return the name of a signature's member, counted from 0: `bundle.json.sig`, `bundle.json.1.sig`."""
    return f"{of}.{number}.sig" if number else f"{of}.sig"


def document_name(number: int) -> str:
    """Return the name of the member that holds that version of the trust document: `trust/3.json`."""
    return f"trust/{number}.json"
