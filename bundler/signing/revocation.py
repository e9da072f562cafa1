"""Keys that never count on this machine: `revoked_keys` in a trust store (FORMAT.md §13).

Lines `SHA256:FINGERPRINT REASON`. A line takes effect at once, for signatures of bundles and of trust
documents, until an administrator takes it out by hand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import UsageFault
from bundler.signing.allowed_signers import decode_lines
from bundler.signing.guard import check_guarded
from bundler.signing.publickey import parse_fingerprint
from bundler.signing.trustdoc import MAX_REASON
from bundler.signing.trustfile import read_trust_file

if TYPE_CHECKING:
    from pathlib import Path

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
