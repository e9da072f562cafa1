"""Signatures beside a trust document: who has signed it, who is missing, and one more (FORMAT.md §13)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, whole_file
from bundler.core.fault import Fault
from bundler.core.text import counted
from bundler.errors import UsageFault
from bundler.signing.judging import judge
from bundler.signing.sshsig import claimed_key, verify_sshsig
from bundler.signing.trust import still_able, trust_in
from bundler.signing.trustdoc import ROOT, TRUST_FORMAT, TrustDocument, parse_document
from bundler.signing.trustfile import DOCUMENT, read_trust_file
from bundler.signing.trustload import expect_document, signature_places, signed_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.signing.judging import Signer
    from bundler.signing.signer import SigningKey

_MEND = "get it from its source again: it must be as `uv-bundler trust new` wrote it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far one document's demand for signatures is met: its own, or the one before's."""

    asked_by: str
    needed: int
    signers: tuple[Signer, ...]
    able: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether nobody is missing."""
        return len(self.signers) >= self.needed

    def __str__(self) -> str:
        head = f"{self.asked_by} asks for {counted(self.needed, 'signature')}"
        signed = f"signed by {' and '.join(map(str, self.signers))}" if self.signers else "signed by nobody"
        if self.is_met:
            return f"{head}: {signed}, nobody is missing"
        missing = self.needed - len(self.signers)
        return f"{head}: {signed}, still missing {missing} of {', '.join(self.able) or 'nobody'}"


def read_document(path: Path) -> tuple[bytes, TrustDocument]:
    """Return a document that a person works on, bytes and value; raises `UsageFault` for anything else."""
    data = read_trust_file(path, expected=DOCUMENT)
    expect_document(path, data)
    try:
        return data, parse_document(data)
    except Fault as fault:
        raise UsageFault(f"{path}: {fault}", hint=fault.hint or _MEND) from None


def tally(
    raw: bytes, signatures: Sequence[bytes], *, document: TrustDocument, before: TrustDocument | None
) -> tuple[Tally, ...]:
    """Return how far the demands are met: of the document before, where it is known, and of its own."""
    tallies = []
    for judges in (before, document):
        if judges is None:
            continue
        trust = trust_in(judges, source=judges.title)
        verdicts = judge(raw, signatures, trust=trust, namespace=TRUST_FORMAT)
        signers = tuple(verdict.signer for verdict in verdicts if verdict.signer)
        tallies.append(
            Tally(
                asked_by=judges.title,
                needed=judges.root_threshold,
                signers=signers,
                able=still_able(judges.people(ROOT), signers, revoked=trust.revoked),
            )
        )
    return tuple(tallies)


def check_successor(document: TrustDocument, *, before: TrustDocument, path: Path, old: Path) -> None:
    """Raise `UsageFault` where a document is not the one that follows `before`."""
    if (document.name, document.version) != (before.name, before.version + 1):
        raise UsageFault(
            f"{path}: is {document.title}, expected {before.name} version {before.version + 1}, "
            f"which follows {old}",
            hint="name the version just before it with --after",
        )


def add_signature(
    path: Path, key: SigningKey, *, before: TrustDocument | None
) -> tuple[Path, tuple[Tally, ...]]:
    """Sign the document in `path` into the next free `FILE.sig`; return that and how far it is signed now.

    Raises `UsageFault` where the key is of nobody who may sign it, or has signed it already.
    """
    raw, document = read_document(path)
    _check_may_sign(key, document, before, path=path)
    existing = signed_document(path, raw).signatures
    for armored in existing:
        _refuse_again(armored, raw, key, path=path)
    place = _free_place(path)
    armored = key.sign(raw, namespace=TRUST_FORMAT)
    with whole_file(place, mode=0o644) as stream:
        stream.write(armored)
    return place, tally(raw, (*existing, armored), document=document, before=before)


def _check_may_sign(
    key: SigningKey, document: TrustDocument, before: TrustDocument | None, *, path: Path
) -> None:
    judges = [one for one in (document, before) if one]
    if any(key.public in person.keys for one in judges for person in one.people(ROOT)):
        return
    names = sorted({person.name for one in judges for person in one.people(ROOT)})
    raise UsageFault(
        f"{path}: {key.public.fingerprint} is no key of a person with the role root, expected one of "
        f"{', '.join(names)}",
        hint="sign with the key that the document names"
        + ("" if before else "; for somebody who is root in the version before, add --after OLD.json"),
    )


def _refuse_again(armored: bytes, raw: bytes, key: SigningKey, *, path: Path) -> None:
    try:
        if claimed_key(armored) != key.public:
            return
        verify_sshsig(armored, raw, namespace=TRUST_FORMAT)
    except Fault as fault:
        raise UsageFault(
            f"{path}: a signature beside it does not count: {fault.message}",
            hint=f"remove it: ls {path}.*sig; it was made for other bytes, or is none",
        ) from None
    raise UsageFault(
        f"{path}: {key.public.fingerprint} has signed it already, expected another key",
        hint="a second signature by the same person counts for nothing; have another person sign",
    )


def _free_place(path: Path) -> Path:
    with host_faults(path):
        for place in signature_places(path):
            if not os.path.lexists(place):
                return place
    raise UsageFault(
        f"{path}: has as many signatures as are read, expected room for one more",
        hint=f"remove those that do not count: ls {path}.*sig",
    )


def write_document(path: Path, document: TrustDocument) -> str:
    """Write a new document and return its sha256; raises `UsageFault` where there is a file already.

    Signatures of another document beside it would be in the way of its own, so they are refused as well.
    """
    raw = document.to_bytes()
    with host_faults(path):
        for place in (path, *signature_places(path)):
            if os.path.lexists(place):
                raise UsageFault(
                    f"{place}: exists already, and nothing is overwritten",
                    hint="choose another name, such as trust-2.json for version 2",
                )
    with whole_file(path, mode=0o644) as stream:
        stream.write(raw)
    return hashlib.sha256(raw).hexdigest()
