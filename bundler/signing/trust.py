"""Whom this machine believes, and whether somebody whom it believes signed some bytes.

`Trust` is a pure value; `verify_signatures` takes bytes and raises. What a bundle brings along never adds to
it. Exit codes: a trust file that is malformed, or missing where it was named, is `UsageFault` (2); no trust
store, one that others can write, and every doubt about a signature is `SignatureFault` (3).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.index import FORMAT
from bundler.errors import SignatureFault, UsageFault
from bundler.signing.guard import check_guarded
from bundler.signing.sshsig import Sshsig, signed_data
from bundler.signing.trustfile import read_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.signing.allowed_signers import Rule
    from bundler.signing.publickey import PublicKey

NAMESPACE = FORMAT
STORE_NAME = "allowed_signers"
VERIFIERS = ("builtin", "ssh-keygen", "both")
_SYSTEM_STORE = Path("/etc/uv-bundler") / STORE_NAME
_COPY_AGAIN = "copy the bundle from its source again and compare `sha256sum` on both sides"


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
class Trust:
    """The rules of one trust file; `source` is what messages call it."""

    rules: tuple[Rule, ...]
    source: str


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


def default_trust_path() -> Path:
    """Return where this user's trust store lies, whether it exists or not.

    Root: `/etc/uv-bundler/allowed_signers`. Others: below `XDG_CONFIG_HOME` or `~/.config`. Windows:
    below `%ProgramData%`, where an administrator has to make the folder so that only administrators write it.
    """
    if os.name == "nt":
        return Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData") / "uv-bundler" / STORE_NAME
    if os.geteuid() == 0:
        return _SYSTEM_STORE
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return configured / "uv-bundler" / STORE_NAME


def trust_path_to_read() -> Path:
    """Return the store to read: this user's, or the machine's where this user has none."""
    own = default_trust_path()
    return _SYSTEM_STORE if not own.exists() and _SYSTEM_STORE.exists() else own


def load_trust(path: Path) -> Trust:
    """Load a public key, an `allowed_signers` file, or a trust store (this machine's, or one in a folder).

    A trust store must be safe from other users (`bundler.signing.guard`); a file that a person names is taken
    as it is. Raises `UsageFault`, `SignatureFault` or `HostFault`.
    """
    with host_faults(path):
        store = store_path(path)
        is_store = store != path or store in (default_trust_path(), _SYSTEM_STORE)
        missing = is_store and not store.exists() and not store.is_symlink()
        other = store != _SYSTEM_STORE and _SYSTEM_STORE.exists()
    if missing:
        raise SignatureFault(
            f"{store}: no such trust store, expected the keys that this machine trusts",
            hint="run `uv-bundler trust import KEY.pub --expect FINGERPRINT` once, with the fingerprint that "
            f"the packer told you by another road, or give --trust {_SYSTEM_STORE if other else 'KEY.pub'}",
        )
    if is_store:
        check_guarded(store)
    return Trust(rules=read_rules(store), source=str(store))


def store_path(path: Path) -> Path:
    """Return the trust store's file: `path`, or the file in it where `path` is a folder."""
    return path / STORE_NAME if path.is_dir() else path


def verify_signatures(
    message: bytes,
    signatures: Sequence[bytes],
    *,
    trust: Trust,
    namespace: str = NAMESPACE,
    verifier: str = "builtin",
    now: datetime | None = None,
) -> tuple[Signer, ...]:
    """Return the trusted signers of `message`, at least one, each key once, in the order of their signatures.

    Signatures by keys that nobody here knows do not count and do no harm. Raises `SignatureFault` with the
    verdict on each where none counts.
    """
    verdicts = judge(message, signatures, trust=trust, namespace=namespace, verifier=verifier, now=now)
    signers = tuple(verdict.signer for verdict in verdicts if verdict.signer)
    if signers:
        return signers
    if not verdicts:
        raise SignatureFault(
            f"no signature at all, expected one by a key of {trust.source}",
            hint="ask the packer to sign it: uv-bundler sign BUNDLE --key KEY",
        )
    telling = next((verdict for verdict in verdicts if verdict.known), verdicts[0])
    raise SignatureFault(
        f"no signature that counts, expected one by a key of {trust.source}; "
        + "; ".join(map(str, verdicts)),
        hint=telling.hint,
    )


def judge(
    message: bytes,
    signatures: Sequence[bytes],
    *,
    trust: Trust,
    namespace: str = NAMESPACE,
    verifier: str = "builtin",
    now: datetime | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each signature. A key counts once, whatever the number of its signatures.

    `verifier` says who checks the cryptography: `builtin`, the system's `ssh-keygen`, or `both`, which must
    agree.
    """
    if verifier not in VERIFIERS:
        raise UsageFault(f"verifier: expected one of {', '.join(VERIFIERS)}, found {verifier!r}")
    moment = now or datetime.now(timezone.utc)
    verdicts: list[Verdict] = []
    for number, armored in enumerate(signatures, start=1):
        verdict = _judge_one(
            number, armored, message, trust=trust, namespace=namespace, verifier=verifier, now=moment
        )
        if verdict.signer and verdict.signer in [earlier.signer for earlier in verdicts]:
            verdict = replace(verdict, signer=None, reason="its key signed already, expected another key")
        verdicts.append(verdict)
    return tuple(verdicts)


def _judge_one(
    number: int,
    armored: bytes,
    message: bytes,
    *,
    trust: Trust,
    namespace: str,
    verifier: str,
    now: datetime,
) -> Verdict:
    try:
        sshsig = Sshsig.from_armor(armored)
    except Fault as fault:
        return Verdict(number=number, reason=fault.message, hint=fault.hint or _COPY_AGAIN)
    key = sshsig.public_key
    verdict = Verdict(
        number=number, fingerprint=key.fingerprint, known=any(rule.key == key for rule in trust.rules)
    )
    try:
        rule = _find_rule(key, trust=trust, namespace=namespace, now=now)
        _check_valid(sshsig, armored, message, namespace=namespace, verifier=verifier)
    except Fault as fault:
        return replace(verdict, reason=fault.message, hint=fault.hint)
    signer = Signer(principal=rule.principals, fingerprint=key.fingerprint, key_type=key.key_type)
    return replace(verdict, signer=signer)


def _find_rule(key: PublicKey, *, trust: Trust, namespace: str, now: datetime) -> Rule:
    """Return the rule that lets `key` speak in `namespace`; raises `Fault`.

    Where several lines name the key, the strictest counts: an expired line is not undone by another one.
    """
    rules = [rule for rule in trust.rules if rule.key == key]
    if not rules:
        raise Fault(
            f"the key ({key.key_type}) is not in {trust.source}",
            hint=f"compare {key.fingerprint} with what the packer tells you by another road; only if they "
            f"are equal: uv-bundler trust import KEY.pub --expect {key.fingerprint}",
        )
    covering = [rule for rule in rules if rule.covers(namespace)]
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


def _check_valid(sshsig: Sshsig, armored: bytes, message: bytes, *, namespace: str, verifier: str) -> None:
    """Raise `Fault` unless the signature is by its key over `message` in `namespace`."""
    if sshsig.namespace != namespace:
        raise Fault(
            f'made for "{sshsig.namespace}", expected one for "{namespace}"',
            hint="ask the packer to sign the bundle itself: uv-bundler sign BUNDLE --key KEY",
        )
    # Form, type and touch are judged here in every case: ssh-keygen takes touchless signatures.
    check = sshsig.public_key.read_signature(sshsig.signature)
    if verifier != "ssh-keygen":
        try:
            check(signed_data(message, namespace=namespace, hash_name=sshsig.hash_name))
        except Fault as fault:
            raise Fault(f"invalid: {fault.message}", hint=_COPY_AGAIN) from None
    if verifier != "builtin":
        from bundler.signing.sshkeygen import check_signature

        check_signature(armored, message, key=sshsig.public_key, namespace=namespace)
