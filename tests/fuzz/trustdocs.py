"""Trust documents: one means one thing, and a step to the next is taken exactly where enough people signed it.

Who counts is worked out here a second time, from the JSON and with other code.
"""

from __future__ import annotations

import functools
import json
import string
from typing import Any

from bundles import Packer

from bundler.core.fault import Fault
from bundler.errors import SignatureFault
from bundler.signing.trust import trust_in
from bundler.signing.trustdoc import SignedDocument, TrustDocument, parse_document
from bundler.signing.trustwalk import walk

from .documents import assert_time

TRUST, INDEX = "uv-bundler.trust.v1", "uv-bundler.index.v1"
KEYS = tuple(Packer(seed=20 + number, name=f"key {number}") for number in range(7))
OLD_NAMESPACE = 0x80  # of a record's first byte: sign as if it were an index


def document(**changes: Any) -> dict[str, Any]:
    """Return the document that is installed, as JSON has it: three people with the role root, two needed."""
    roles = (("root", "release"), ("root",), ("root",), ("release",))
    held = ((0, 1), (2,), (3,), (4,))
    signers = {
        name: {"keys": [str(KEYS[number].key) for number in numbers], "roles": list(role)}
        for name, numbers, role in zip(("alice", "bob", "carol", "dave"), held, roles, strict=True)
    }
    return {
        "format": TRUST, "name": "plant-7", "version": 1, "created": "2026-11-20T00:00:00Z", "expires": None,
        "algorithms": ["ssh-ed25519", "ecdsa-sha2-nistp256"], "signers": signers,
        "thresholds": {"root": 2, "release": 1}, "revoked": {KEYS[5].key.fingerprint: "lost"},
        "policy": {"expiry": "warn", "first_install": "any"},
    } | changes  # fmt: skip


def check_document(data: bytes) -> bool:
    """A trust document is refused with a `Fault`, or it can be satisfied, and is written and read the same."""
    try:
        parsed = parse_document(data)
    except Fault:
        return False
    assert parse_document(parsed.to_bytes()) == parsed
    said = json.loads(data)
    assert_document(parsed)
    assert {one.name: [str(key) for key in one.keys] for one in parsed.signers} == {
        name: one["keys"] for name, one in said["signers"].items()
    }
    return True


def assert_document(parsed: TrustDocument) -> None:
    """Assert FORMAT.md §13 of a parsed document."""
    blobs = [key.blob for one in parsed.signers for key in one.keys]
    assert len(set(blobs)) == len(blobs)
    assert len({one.name.lower() for one in parsed.signers}) == len(parsed.signers) <= 64
    revoked = {fingerprint for fingerprint, _ in parsed.revoked}
    for one in parsed.signers:
        assert 1 <= len(one.name) <= 64
        assert set(one.name) <= set(string.ascii_letters + string.digits + "._@+-")
        assert 1 <= len(one.keys) <= 8
        assert all(key.key_type in parsed.algorithms and not key.comment for key in one.keys)
        assert not revoked & {key.fingerprint for key in one.keys}
        assert one.roles
        assert set(one.roles) <= {"root", "release"}
        assert len(set(one.roles)) == len(one.roles)
    for role in ("root", "release"):
        able = [one for one in parsed.signers if role in one.roles]
        assert 1 <= parsed.threshold(role) <= len(able)
    assert 1 <= parsed.version < 2**31
    assert_time(parsed.created)
    if parsed.expires is not None:
        assert_time(parsed.expires)
        assert parsed.expires > parsed.created


def check_walk(data: bytes) -> bool:
    """A chain is walked exactly where each step has the thresholds of the document before and of its own.

    The input is records with a NUL between them: a byte whose bits say which of `KEYS` sign, and a document.
    """
    records = [(one[0] if one else 0, one[1:]) for one in data.split(b"\0")[:4]]
    chain = [
        SignedDocument(raw=raw, signatures=_signatures(bits, raw), number=number)
        for number, (bits, raw) in enumerate(records, start=2)
    ]
    try:
        trust, steps = walk(_installed(), chain)
    except SignatureFault:
        assert not _should_pass(records)
        return False
    assert _should_pass(records)
    assert [step.raw for step in steps] == [raw for _, raw in records]
    assert trust.document == parse_document(records[-1][1])
    return True


@functools.cache
def _installed():
    return trust_in(parse_document(json.dumps(document()).encode()), source="installed")


def _signatures(bits: int, raw: bytes) -> tuple[bytes, ...]:
    namespace = INDEX if bits & OLD_NAMESPACE else TRUST
    return tuple(key.sign(raw, namespace=namespace) for at, key in enumerate(KEYS) if bits >> at & 1)


def _should_pass(records: list[tuple[int, bytes]]) -> bool:
    old = document()
    for bits, raw in records:
        if bits & OLD_NAMESPACE:
            return False
        try:
            parse_document(raw)
        except Fault:
            return False
        new = json.loads(raw)
        signed = {str(key.key) for at, key in enumerate(KEYS) if bits >> at & 1}
        if any(_people(said, signed) < said["thresholds"]["root"] for said in (old, new)):
            return False
        if (new["name"], new["version"]) != (old["name"], old["version"] + 1):
            return False
        old = new
    return True


def _people(said: dict[str, Any], signed: set[str]) -> int:
    """Count the people with the role root who hold one of the keys in `signed`."""
    return sum("root" in one["roles"] and bool(signed & {*one["keys"]}) for one in said["signers"].values())
