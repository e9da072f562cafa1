"""Whom this machine believes, and whether enough of them signed some bytes (FORMAT.md §13, "Who counts").

`Trust` is a pure value; `verify_signatures` takes bytes and raises. What a bundle brings along never adds to
it, but through `bundler.signing.trustwalk`. Every doubt about a signature is `SignatureFault` (exit 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core.index import FORMAT
from bundler.errors import SignatureFault
from bundler.signing.allowed_signers import Rule
from bundler.signing.judging import HOW_TO_SIGN, VERIFIERS, Signer, judge
from bundler.signing.trustdoc import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from bundler.signing.judging import Verdict
    from bundler.signing.trustdoc import Person, TrustDocument

__all__ = ["NAMESPACE", "VERIFIERS", "Signer", "Trust", "judge", "trust_in", "verify_signatures"]

NAMESPACE = FORMAT
_NOBODY_LEFT = (
    "too few keys are left that are not revoked: ask its people for the next version of the trust document, "
    "which names others (uv-bundler trust import FILE)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What counts here: the rules of one trust file; `source` is what messages call it.

    `document` is None where that file is a key or an `allowed_signers` file. `revoked_keys` are those of this
    machine, by fingerprint, with the reason. `store` is the folder of a guarded trust store, in which a
    successor of the document may be saved; None for files that a person names.
    """

    rules: tuple[Rule, ...]
    source: str
    document: TrustDocument | None = None
    revoked_keys: Mapping[str, str] = field(default_factory=dict)
    store: Path | None = None

    @property
    def revoked(self) -> Mapping[str, str]:
        """Every key that never counts, by fingerprint: the document's and this machine's."""
        return {**dict(self.document.revoked if self.document else ()), **self.revoked_keys}

    @property
    def threshold(self) -> int:
        """How many must have signed a bundle: people with a document, else one key."""
        return self.document.release_threshold if self.document else 1


def trust_in(
    document: TrustDocument,
    *,
    source: str,
    revoked_keys: Mapping[str, str] | None = None,
    store: Path | None = None,
) -> Trust:
    """Return the trust that a document asks for: each key speaks in the namespaces of its owner's roles."""
    rules = tuple(
        Rule(principals=person.name, key=key, namespaces=",".join(ROLES[role] for role in person.roles))
        for person in document.signers
        for key in person.keys
    )
    return Trust(rules=rules, source=source, document=document, revoked_keys=revoked_keys or {}, store=store)


def verify_signatures(
    message: bytes,
    signatures: Sequence[bytes],
    *,
    trust: Trust,
    namespace: str = NAMESPACE,
    verifier: str = "builtin",
    now: datetime | None = None,
) -> tuple[Signer, ...]:
    """Return the trusted signers of `message`, in the order of their signatures, as many as must have signed.

    With a trust document they are different people, at least as many as its threshold for the role that signs
    in `namespace`; otherwise different keys, at least one. Signatures that do not count do no harm. Raises
    `SignatureFault` with the verdict on each where too few count.
    """
    verdicts = judge(message, signatures, trust=trust, namespace=namespace, verifier=verifier, now=now)
    signers = tuple(verdict.signer for verdict in verdicts if verdict.signer)
    if trust.document:
        role = next(role for role, name in ROLES.items() if name == namespace)
        if len(signers) < trust.document.threshold(role):
            raise _too_few(verdicts, signers, trust=trust, document=trust.document, role=role)
        return signers
    if signers:
        return signers
    _, command = HOW_TO_SIGN[namespace]
    if not verdicts:
        raise SignatureFault(
            f"no signature at all, expected one by a key of {trust.source}",
            hint=f"ask the packer to sign it: {command}",
        )
    telling = next((verdict for verdict in verdicts if verdict.known), verdicts[0])
    raise SignatureFault(
        f"no signature that counts, expected one by a key of {trust.source}; "
        + "; ".join(map(str, verdicts)),
        hint=telling.hint,
    )


def still_able(
    people: Sequence[Person], signers: Sequence[Signer], *, revoked: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the names of those who have not signed and hold a key that is not revoked."""
    done = {signer.principal for signer in signers}
    return tuple(
        person.name
        for person in people
        if person.name not in done and any(key.fingerprint not in revoked for key in person.keys)
    )


def _too_few(
    verdicts: Sequence[Verdict],
    signers: Sequence[Signer],
    *,
    trust: Trust,
    document: TrustDocument,
    role: str,
) -> SignatureFault:
    """Say who signed with which key, how many of how many, who is missing, and what else was found."""
    needed = document.threshold(role)
    able = still_able(document.people(role), signers, revoked=trust.revoked)
    lacking = needed - len(signers)
    head = (
        f"signed by {len(signers)} of {needed} {'person' if needed == 1 else 'people'}, "
        f"expected {needed} with the role {role} in {trust.source} ({document.title})"
    )
    parts = [
        head,
        *(f"{signer} has signed" for signer in signers),
        f"still missing: {lacking}"
        + (f" of {', '.join(able)}" if able else ", and all other keys are revoked"),
        *(str(verdict) for verdict in verdicts if not verdict.signer),
    ]
    telling = [verdict.hint for verdict in verdicts if verdict.known and verdict.reason and verdict.hint]
    if len(able) < lacking:
        return SignatureFault("; ".join(parts), hint=_NOBODY_LEFT)
    missing = f"ask {' or '.join(able)} to sign it: {HOW_TO_SIGN[ROLES[role]][1]}"
    return SignatureFault("; ".join(parts), hint=telling[0] if telling else missing)
