"""From one trust document to the next, and to the first one (FORMAT.md §13, "Rotation", "First import").

Pure: bytes in, values out. The authority of every step is the document before it: a step is judged by that
before it is parsed, and then by itself. Any doubt refuses the chain as a whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.errors import SignatureFault
from bundler.signing.judging import judge
from bundler.signing.trust import Trust, trust_in, verify_signatures
from bundler.signing.trustdoc import ROOT, TRUST_FORMAT, parse_document

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from bundler.signing.judging import Signer
    from bundler.signing.trustdoc import SignedDocument, TrustDocument

_ANEW = "get the trust documents from their source again, each version with its signatures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A document that was accepted: who signed it by the one before (none for the first) and by itself."""

    version: int
    sha256: str
    raw: bytes
    old_signers: tuple[Signer, ...]
    new_signers: tuple[Signer, ...]


def walk(
    trust: Trust, chain: Sequence[SignedDocument], *, now: datetime | None = None, verifier: str = "builtin"
) -> tuple[Trust, tuple[Step, ...]]:
    """Return the trust that the chain leads to from the installed document, and the steps to it.

    Versions up to the installed one are passed over unread; with any other kind of trust all are. Raises
    `SignatureFault` naming `trust/N.json` for every doubt: a version left out or out of order, another name,
    too few signatures by the people of the document before or by its own, or a document that is malformed.
    """
    if trust.document is None:
        return trust, ()
    installed, steps = trust.document.version, []
    for signed in chain:
        if signed.number > installed:
            trust, step = _next_step(trust, signed, now=now, verifier=verifier)
            steps.append(step)
    return trust, tuple(steps)


def check_first(
    signed: SignedDocument,
    *,
    source: str,
    confirmed: Collection[str],
    revoked_keys: Mapping[str, str],
    now: datetime | None = None,
) -> tuple[Trust, Step]:
    """Return the trust in a first document: enough of its root people signed, and every `confirmed` key did.

    `confirmed` are the fingerprints that a person vouches for. How many are enough is the document's own
    word, and whoever forges one with a single stolen key asks for one. Raises `SignatureFault`.
    """
    trust = _parse(signed, where=source, like=Trust(rules=(), source=source, revoked_keys=revoked_keys))
    expect_root_keys(_document(trust), confirmed, source=source)
    vouched = replace(trust, rules=tuple(one for one in trust.rules if one.key.fingerprint in confirmed))
    verdicts = judge(signed.raw, signed.signatures, trust=vouched, namespace=TRUST_FORMAT, now=now)
    signers = tuple(verdict.signer for verdict in verdicts if verdict.signer)
    needed = _document(trust).threshold(ROOT)
    if len(signers) < needed:
        all_signers = _verify(signed, trust=trust, where=source, now=now, verifier="builtin")
        names = {signer.principal for signer in signers}
        others = [str(signer) for signer in all_signers if signer.principal not in names]
        raise SignatureFault(
            f"{source}: confirmed are {len(signers)} of {needed} people who must have signed it; "
            f"not confirmed: {', '.join(others)}",
            hint="hear their fingerprints by another road too, and give each one: --expect SHA256:…",
        )
    by_key = judge(
        signed.raw, signed.signatures, trust=replace(vouched, document=None), namespace=TRUST_FORMAT, now=now
    )
    signing = {verdict.signer.fingerprint for verdict in by_key if verdict.signer}
    if absent := sorted(set(confirmed) - signing):
        raise SignatureFault(
            f"{source}: {', '.join(absent)} has not signed it, expected each key that was confirmed to have",
            hint="ask its owner whether this is the document; only if so, leave that --expect out",
        )
    return trust, _step(signed, trust, old=(), new=signers)


def expect_root_keys(document: TrustDocument, expected: Collection[str], *, source: str) -> None:
    """Raise `SignatureFault` where a fingerprint that a person was told is no root key of the document."""
    known = {key.fingerprint for person in document.people(ROOT) for key in person.keys}
    if strangers := sorted(set(expected) - known):
        raise SignatureFault(
            f"{source}: {', '.join(strangers)} is no key of a person with the role root in it",
            hint="this is not what you were told of: get it again, and the fingerprints by another road",
        )


def check_own(
    signed: SignedDocument,
    *,
    source: str,
    revoked_keys: Mapping[str, str],
    now: datetime | None = None,
) -> Trust:
    """Return the trust in a document that a person named: enough of its own root people have signed it.

    Whoever names it vouches for it; the signatures say that it is finished. Raises `SignatureFault`.
    """
    trust = _parse(signed, where=source, like=Trust(rules=(), source=source, revoked_keys=revoked_keys))
    _verify(signed, trust=trust, where=source, now=now, verifier="builtin")
    return trust


def _next_step(
    trust: Trust, signed: SignedDocument, *, now: datetime | None, verifier: str
) -> tuple[Trust, Step]:
    old, where = _document(trust), f"trust/{signed.number}.json"
    if signed.number != old.version + 1:
        raise SignatureFault(
            f"{where}: is version {signed.number}, expected version {old.version + 1} after {old.version}",
            hint="every version in between is needed, with its signatures: name them all, or their folder",
        )
    by_old = _verify(signed, trust=trust, where=where, now=now, verifier=verifier)
    following = _parse(signed, where=where, like=trust)
    if _document(following).name != old.name:
        raise SignatureFault(
            f"{where}: is of the name {_document(following).name!r}, expected {old.name!r}", hint=_ANEW
        )
    by_new = _verify(signed, trust=following, where=where, now=now, verifier=verifier)
    return following, _step(signed, following, old=by_old, new=by_new)


def _parse(signed: SignedDocument, *, where: str, like: Trust) -> Trust:
    try:
        document = parse_document(signed.raw)
    except Fault as fault:
        raise SignatureFault(f"{where}: {fault}", hint=fault.hint or _ANEW) from None
    if document.version != signed.number:
        raise SignatureFault(
            f"{where}: says that it is version {document.version}, expected {signed.number}", hint=_ANEW
        )
    return trust_in(document, source=where, revoked_keys=like.revoked_keys, store=like.store)


def _verify(
    signed: SignedDocument, *, trust: Trust, where: str, now: datetime | None, verifier: str
) -> tuple[Signer, ...]:
    try:
        return verify_signatures(
            signed.raw, signed.signatures, trust=trust, namespace=TRUST_FORMAT, verifier=verifier, now=now
        )
    except SignatureFault as fault:
        raise SignatureFault(f"{where}: {fault.message}", hint=fault.hint) from None


def _document(trust: Trust) -> TrustDocument:
    assert trust.document is not None  # noqa: S101  # only called where there is one
    return trust.document


def _step(signed: SignedDocument, trust: Trust, *, old: tuple[Signer, ...], new: tuple[Signer, ...]) -> Step:
    return Step(
        version=_document(trust).version,
        sha256=hashlib.sha256(signed.raw).hexdigest(),
        raw=signed.raw,
        old_signers=old,
        new_signers=new,
    )
