"""The verdict on each signature: whose it is, or why it does not count and what to do.

Pure: `judge` takes bytes and a `Trust`, and returns values. Nobody counts twice: without a trust document a
key counts once, with one a person does, whatever the number of signatures (FORMAT.md §13).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.index import FORMAT
from bundler.errors import UsageFault
from bundler.signing.sshsig import Sshsig, signed_data
from bundler.signing.trustdoc import TRUST_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bundler.signing.allowed_signers import Rule
    from bundler.signing.publickey import PublicKey
    from bundler.signing.trust import Trust

VERIFIERS = ("builtin", "ssh-keygen", "both")
HOW_TO_SIGN = {  # by namespace: what is signed, and the command
    FORMAT: ("bundle", "uv-bundler sign BUNDLE --key KEY"),
    TRUST_FORMAT: ("trust document", "uv-bundler trust sign FILE --key KEY"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Whose key it was: the name that the trust file gives it, its fingerprint and its type."""

    principal: str
    fingerprint: str
    key_type: str

    def __str__(self) -> str:
        """Return name and fingerprint; a key without a comment has no name but its fingerprint."""
        if self.principal == self.fingerprint:
            return self.fingerprint
        return f"{self.principal} with {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found about one signature: either its signer, or why it does not count and what to do."""

    number: int
    fingerprint: str | None = None
    signer: Signer | None = None
    reason: str | None = None
    hint: str | None = None
    known: bool = False

    def __str__(self) -> str:
        by = f" by {self.fingerprint}" if self.fingerprint else ""
        return f"signature {self.number}{by}: {self.reason or 'good'}"


def judge(
    message: bytes,
    signatures: Sequence[bytes],
    *,
    trust: Trust,
    namespace: str = FORMAT,
    verifier: str = "builtin",
    now: datetime | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each signature; the signers in them are different keys, or different people.

    `verifier` says who checks the cryptography: `builtin`, the system's `ssh-keygen`, or `both`, which must
    agree.
    """
    if verifier not in VERIFIERS:
        raise UsageFault(f"verifier: expected one of {', '.join(VERIFIERS)}, found {verifier!r}")
    moment = now or datetime.now(timezone.utc)
    verdicts: list[Verdict] = []
    counted: dict[str, Signer] = {}
    # An index has up to 16 MiB: hashed once, whatever the number of signatures that somebody put there.
    to_sign = cache(lambda hash_name: signed_data(message, namespace=namespace, hash_name=hash_name))
    for number, armored in enumerate(signatures, start=1):
        verdict = _judge_one(
            number,
            armored,
            message,
            to_sign,
            trust=trust,
            namespace=namespace,
            verifier=verifier,
            now=moment,
        )
        if signer := verdict.signer:
            earlier = counted.setdefault(signer.principal if trust.document else signer.fingerprint, signer)
            if earlier is not signer:
                verdict = replace(verdict, signer=None, reason=_again(signer, earlier))
        verdicts.append(verdict)
    return tuple(verdicts)


def _again(signer: Signer, earlier: Signer) -> str:
    if signer.fingerprint == earlier.fingerprint:
        return "its key signed already, expected another key"
    return f"{signer.principal} signed already with {earlier.fingerprint}, expected another person"


def _judge_one(
    number: int,
    armored: bytes,
    message: bytes,
    to_sign: Callable[[str], bytes],
    *,
    trust: Trust,
    namespace: str,
    verifier: str,
    now: datetime,
) -> Verdict:
    try:
        sshsig = Sshsig.from_armor(armored)
    except Fault as fault:
        return Verdict(number=number, reason=fault.message, hint=fault.hint or _copy_again(namespace))
    key = sshsig.public_key
    verdict = Verdict(
        number=number, fingerprint=key.fingerprint, known=any(rule.key == key for rule in trust.rules)
    )
    try:
        rule = _find_rule(key, trust=trust, namespace=namespace, now=now)
        _check_valid(sshsig, armored, message, to_sign, namespace=namespace, verifier=verifier)
    except Fault as fault:
        return replace(verdict, reason=fault.message, hint=fault.hint)
    signer = Signer(principal=rule.principals, fingerprint=key.fingerprint, key_type=key.key_type)
    return replace(verdict, signer=signer)


def _find_rule(key: PublicKey, *, trust: Trust, namespace: str, now: datetime) -> Rule:
    """Return the rule that lets `key` speak in `namespace`; raises `Fault`.

    Where several lines name the key, the strictest counts: an expired line is not undone by another one.
    """
    if (reason := trust.revoked.get(key.fingerprint)) is not None:
        raise Fault(
            f"its key is revoked: {reason}", hint=f"sign with a key that counts: {HOW_TO_SIGN[namespace][1]}"
        )
    rules = [rule for rule in trust.rules if rule.key == key]
    if not rules:
        raise Fault(f"the key ({key.key_type}) is not in {trust.source}", hint=_unknown(key, trust))
    covering = [rule for rule in rules if rule.covers(namespace)]
    if not covering and trust.document:
        raise Fault(f"{rules[0].principals} has no role for that in {trust.source}")
    if not covering:
        raise Fault(
            f'line {rules[0].line} of {trust.source} trusts it for "{rules[0].namespaces}" only',
            hint=f"if it may sign bundles, add {namespace} to the namespaces of that line",
        )
    for rule in covering:
        if why := rule.refusal(now):
            raise Fault(
                f"line {rule.line} of {trust.source}: {why}",
                hint="check this machine's clock; ask the packer to sign with a key that holds now",
            )
    return covering[0]


def _unknown(key: PublicKey, trust: Trust) -> str:
    if trust.document:
        return (
            f"ask its owner whose {key.fingerprint} is; a key counts once a trust document names it: "
            "uv-bundler trust import FILE"
        )
    return (
        f"compare {key.fingerprint} with what the packer tells you by another road; only if they "
        f"are equal: uv-bundler trust import KEY.pub --expect {key.fingerprint}"
    )


def _check_valid(
    sshsig: Sshsig,
    armored: bytes,
    message: bytes,
    to_sign: Callable[[str], bytes],
    *,
    namespace: str,
    verifier: str,
) -> None:
    """Raise `Fault` unless the signature is by its key over `message` in `namespace`."""
    if sshsig.namespace != namespace:
        thing, command = HOW_TO_SIGN[namespace]
        raise Fault(
            f'made for "{sshsig.namespace}", expected one for "{namespace}"',
            hint=f"ask the packer to sign the {thing} itself: {command}",
        )
    # Form, type and touch are judged here in every case: ssh-keygen takes touchless signatures.
    check = sshsig.public_key.read_signature(sshsig.signature)
    if verifier != "ssh-keygen":
        try:
            check(to_sign(sshsig.hash_name))
        except Fault as fault:
            raise Fault(f"invalid: {fault.message}", hint=_copy_again(namespace)) from None
    if verifier != "builtin":
        from bundler.signing.sshkeygen import check_signature

        check_signature(armored, message, key=sshsig.public_key, namespace=namespace)


def _copy_again(namespace: str) -> str:
    thing, _ = HOW_TO_SIGN[namespace]
    return f"copy the {thing} from its source again and compare `sha256sum` on both sides"
