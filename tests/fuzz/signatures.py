"""SSHSIG: nobody but the holder of a key makes bytes that verify, and a blob has one form."""

from __future__ import annotations

import base64
import functools

from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.sshsig import Sshsig, armor, dearmor, verify_sshsig

from .target import ACCEPTED, CORPUS

MESSAGE, NAMESPACE = b"what the seeds sign\n", "uv-bundler.index.v1"
_ORDERS = {  # of the groups of NIST's curves: s and order - s are both signatures (SEC 1 §4.1.4)
    "ecdsa-sha2-nistp256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ecdsa-sha2-nistp384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ecdsa-sha2-nistp521": 0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
}  # fmt: skip
_ORDERS["sk-ecdsa-sha2-nistp256@openssh.com"] = _ORDERS["ecdsa-sha2-nistp256"]


def check_armored(data: bytes) -> bool:
    """An armor verifies only where it holds a signature that a holder of its key made; returns whether it does."""
    try:
        blob = dearmor(data)
        sshsig = Sshsig.from_armor(data)
    except Fault:
        assert not _verifies(data)
        return False
    assert sshsig.to_blob() == blob
    assert dearmor(armor(blob)) == blob
    assert b"".join(data.split(b"\n")[1:-2]) == base64.b64encode(blob)
    verifies = _verifies(data)
    if verifies:
        assert _identity(sshsig) in _genuine()
    return verifies


def check_blob(data: bytes) -> bool:
    """The same for what an armor holds, without a base64 around it."""
    return check_armored(armor(data))


def _verifies(armored: bytes) -> bool:
    try:
        key = verify_sshsig(armored, MESSAGE, namespace=NAMESPACE)
    except Fault:
        return False
    assert key == Sshsig.from_armor(armored).public_key
    return True


@functools.cache
def _genuine() -> frozenset[tuple[object, ...]]:
    """Return what the seeds that are accepted say, malleable parts aside."""
    seeds = (CORPUS / "sshsig").glob(f"{ACCEPTED}*")
    return frozenset(_identity(Sshsig.from_armor(seed.read_bytes())) for seed in seeds)


def _identity(sshsig: Sshsig) -> tuple[object, ...]:
    """Return all that a signature says; ECDSA's s and order - s are one (anybody can turn one into the other)."""
    key, said = sshsig.public_key, sshsig.signature
    fields: tuple[object, ...] = (said,)
    if key.key_type in _ORDERS:
        outer = wire.Reader(said)
        name, pair, rest = outer.text("type"), wire.Reader(outer.string("pair")), outer.rest()
        r, s = pair.mpint("r"), pair.mpint("s")
        fields = (name, r, min(s, _ORDERS[key.key_type] - s), rest)
    return (key.blob, sshsig.namespace, sshsig.hash_name, *fields)
