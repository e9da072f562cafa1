"""Files that say whom to trust: read to the same rules again, or refused with the line that does not fit."""

from __future__ import annotations

from dataclasses import replace

from bundler.core.fault import Fault
from bundler.signing.allowed_signers import parse_allowed_signers, parse_rule
from bundler.signing.publickey import PublicKey, parse_fingerprint
from bundler.signing.revocation import parse_revoked
from bundler.signing.trustfile import parse_rules


def check_file(data: bytes) -> bool:
    """A key file or `allowed_signers` is refused as a whole, or each rule in it is written and read the same."""
    try:
        rules = parse_rules(data)
    except Fault as fault:
        assert not fault.path or 1 <= fault.path[0] <= data.count(b"\n") + 1
        return False
    assert rules
    for rule in rules:
        assert PublicKey.parse(str(rule.key)) == rule.key
        assert PublicKey.parse(str(rule.key)).comment == rule.key.comment
    try:
        assert parse_allowed_signers(data) == rules
    except Fault:  # a key alone: what people see as its name is its comment
        assert len(rules) == 1
        assert rules[0].principals == (rules[0].key.comment or rules[0].key.fingerprint)
        return True
    assert [parse_rule(str(rule), number=rule.line) for rule in rules] == list(rules)
    written = "".join(f"{rule}\n" for rule in rules).encode()
    assert [replace(one, line=0) for one in parse_rules(written)] == [replace(one, line=0) for one in rules]
    return True


def check_revoked(data: bytes) -> bool:
    """A list of revoked keys is refused as a whole, or each line that is no comment revokes a key."""
    try:
        revoked = parse_revoked(data)
    except Fault as fault:
        assert not fault.path or 1 <= fault.path[0] <= data.count(b"\n") + 1
        return False
    lines = [line.strip(" \t\r") for line in data.decode().split("\n")]
    said = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    assert {fingerprint for fingerprint, _ in said} == revoked.keys()
    assert all(parse_fingerprint(fingerprint) == fingerprint for fingerprint in revoked)
    assert all(1 <= len(reason) <= 200 for reason in revoked.values())
    written = "".join(f"{fingerprint} {reason}\n" for fingerprint, reason in revoked.items()).encode()
    assert parse_revoked(written) == revoked
    return True
