"""Keys that never count on this machine: `revoked_keys` in a trust store (FORMAT.md §13).

Lines `SHA256:FINGERPRINT REASON`. A line takes effect at once, for signatures of bundles and of trust
documents, until an administrator takes it out by hand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bundler.core.durable import host_faults, whole_file
from bundler.core.fault import Fault
from bundler.errors import UsageFault
from bundler.signing.allowed_signers import decode_lines
from bundler.signing.guard import check_guarded
from bundler.signing.publickey import parse_fingerprint
from bundler.signing.storefolder import alone_in, make_store
from bundler.signing.trustdoc import MAX_REASON
from bundler.signing.trustfile import read_rules, read_trust_file

REVOKED_NAME = "revoked_keys"


def parse_revoked(data: bytes) -> dict[str, str]:
    """Return fingerprint to reason; raises `Fault` whose path is the number of the line that does not fit.

    A line that nobody can read might have been a revocation: so it is not passed over.
    """
    revoked: dict[str, str] = {}
    for number, line in enumerate(decode_lines(data), start=1):
        if not line or line.startswith("#"):
            continue
        text, _, reason = line.partition(" ")
        try:
            key = parse_fingerprint(text)
        except Fault as fault:
            raise fault.under((number,)) from None
        if not reason.strip() or len(reason) > MAX_REASON:
            raise Fault(f"expected a reason of 1 to {MAX_REASON} characters").under((number,))
        revoked.setdefault(key, reason.strip())
    return revoked


def read_revoked(folder: Path) -> dict[str, str]:
    """Return what the store in `folder` revokes: nothing where it has no such file.

    Raises `SignatureFault` where others can write the file, and `UsageFault` where a line does not fit.
    """
    path = folder / REVOKED_NAME
    with host_faults(path):
        if not os.path.lexists(path):
            return {}
    check_guarded(path)
    try:
        return parse_revoked(read_trust_file(path))
    except Fault as fault:
        where = f"{path}:{fault.path[0]}" if fault.path else str(path)
        raise UsageFault(
            f"{where}: {fault.message}", hint="correct the line: SHA256:FINGERPRINT REASON"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A key that this machine's list names; `is_new` where it was not there before."""

    path: Path
    fingerprint: str
    reason: str
    is_new: bool


def revoke(target: str, *, reason: str, folder: Path) -> Revocation:
    """Add a key, its fingerprint or the file of its public half, to the `revoked_keys` of a store.

    It takes effect at once. A key that is there already stays as it is. Raises `UsageFault`, `SignatureFault`
    where others can write the store, `HostFault` or `LockedFault`.
    """
    key, why = _fingerprint(target), _one_line(reason)
    path = folder / REVOKED_NAME
    with host_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise UsageFault(
                f"{folder}: a file, expected the folder of a trust store", hint="name a folder with --store"
            )
    make_store(folder)
    with alone_in(folder):
        existing = read_revoked(folder)
        if key in existing:
            return Revocation(path=path, fingerprint=key, reason=existing[key], is_new=False)
        with host_faults(path):
            old = path.read_bytes() if path.exists() else b""
        joint = b"" if not old or old.endswith(b"\n") else b"\n"
        with whole_file(path, mode=0o644) as stream:
            stream.write(old + joint + f"{key} {why}\n".encode())
    return Revocation(path=path, fingerprint=key, reason=why, is_new=True)


def _fingerprint(target: str) -> str:
    if target.startswith("SHA256:"):
        try:
            return parse_fingerprint(target)
        except Fault as fault:
            raise UsageFault(
                fault.message, hint="ssh-keygen -lf KEY.pub prints it; or name KEY.pub"
            ) from None
    rules = read_rules(Path(target))
    if len(rules) != 1:
        raise UsageFault(
            f"{target}: {len(rules)} keys, expected the one to revoke", hint="name its fingerprint, SHA256:…"
        )
    return rules[0].key.fingerprint


def _one_line(reason: str) -> str:
    stripped = reason.strip()
    if not stripped or len(stripped) > MAX_REASON or not stripped.isprintable():
        raise UsageFault(
            f"--reason: expected one line of 1 to {MAX_REASON} printable characters",
            hint='say why, such as --reason "laptop lost"',
        )
    return stripped
