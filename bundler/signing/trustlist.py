"""What a trust file or store says, as lines for people, and as lines for stock `ssh-keygen`.

`export_lines` writes no dates: OpenSSH 8.1 and 8.2 refuse every line that has one (FORMAT.md §13).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.errors import UsageFault
from bundler.signing.trust import NAMESPACE, Trust
from bundler.signing.trustdoc import RELEASE, ROOT
from bundler.signing.truststore import safe_principals

if TYPE_CHECKING:
    from bundler.signing.trustdoc import TrustDocument


def describe_trust(trust: Trust, *, raw: bytes | None = None) -> list[str]:
    """Return the lines of `trust list`; `raw` are the bytes of the document, where there is one."""
    if trust.document is None or raw is None:
        lines = [f"{rule.key.fingerprint}  {rule.principals}" for rule in trust.rules]
    else:
        lines = _describe_document(trust.document, raw)
    return [*lines, *(f"revoked    {key}  {why} (on this machine)" for key, why in _sorted(trust))]


def _sorted(trust: Trust) -> list[tuple[str, str]]:
    return sorted(trust.revoked_keys.items())


def _describe_document(document: TrustDocument, raw: bytes) -> list[str]:
    ends = f"expires {document.expires}" if document.expires else "does not expire"
    expired = "refused" if document.policy.expiry == "enforce" else "warned of"
    told = "--expect-serial or --expect-index" if document.policy.first_install == "expected" else "nothing"
    lines = [
        f"trust      {document.title}, sha256 {hashlib.sha256(raw).hexdigest()}",
        f"created    {document.created}, {ends}",
        f"policy     what is expired is {expired}; the first bundle of a name needs {told}",
        *(f"{role:<10} {threshold_of(document, role)}" for role in (ROOT, RELEASE)),
        f"keys       {', '.join(document.algorithms)}",
    ]
    for person in document.signers:
        for key in person.keys:
            lines.append(f"signer     {key.fingerprint}  {person.name} ({', '.join(person.roles)})")
    return [*lines, *(f"revoked    {key}  {why}" for key, why in document.revoked)]


def threshold_of(document: TrustDocument, role: str) -> str:
    """Say how many of whom must sign: `2 of anna, ben, carl`."""
    return f"{document.threshold(role)} of {', '.join(one.name for one in document.people(role))}"


def export_lines(trust: Trust) -> tuple[list[str], list[str]]:
    """Return `allowed_signers` lines of the keys that may sign bundles, and what was left out and why.

    Raises `UsageFault` where nothing is left.
    """
    lines, left_out = [], []
    for rule in trust.rules:
        if not rule.covers(NAMESPACE):
            continue
        if (reason := trust.revoked.get(rule.key.fingerprint)) is not None:
            left_out.append(f"{rule.principals} with {rule.key.fingerprint}: revoked: {reason}")
        elif rule.valid_after or rule.valid_before:
            left_out.append(
                f"{rule.principals} with {rule.key.fingerprint}: has a date, which OpenSSH 8.1 and 8.2 refuse"
            )
        else:
            name, bare = safe_principals(rule), type(rule.key)(rule.key.blob)
            lines.append(str(replace(rule, principals=name, namespaces=NAMESPACE, key=bare)))
    if not lines:
        raise UsageFault(
            f"{trust.source}: no key that may sign bundles and has no date, expected at least one"
            + "".join(f"; {one}" for one in left_out),
            hint="see what it holds: uv-bundler trust list",
        )
    return lines, left_out
