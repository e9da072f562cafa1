"""Public keys judged by vectors that nobody here wrote: CCTV's and Wycheproof's."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from keyblobs import P256, ecdsa_blob, ed25519_blob, rsa_blob, verdict

from bundler.core.fault import Fault
from bundler.signing import edwards, wire
from bundler.signing.publickey import PublicKey


def ed25519_vectors(folder):
    found = json.loads((folder / "ed25519" / "ed25519vectors.json").read_text())
    assert len(found) == 914
    return found


def test_exactly_the_14_small_order_encodings_of_cctv_are_refused_as_such(shared_vectors):
    small = {one["key"] for one in ed25519_vectors(shared_vectors) if "low_order_A" in (one["flags"] or ())}
    assert len(small) == 14
    for key in small:
        with pytest.raises(Fault, match="found a point of small order, for which anybody can sign"):
            edwards.check_point(bytes.fromhex(key))


def test_cctv_ed25519_signatures_are_judged_without_exception(shared_vectors):
    """OpenSSL verifies without the cofactor and compares R as bytes, so torsion in A alone does no harm."""
    harmful = {"low_order_A", "non_canonical_A", "non_canonical_R", "low_order_residue"}
    accepted = 0
    for one in ed25519_vectors(shared_vectors):
        signature = wire.text("ssh-ed25519") + wire.string(bytes.fromhex(one["sig"]))
        try:
            key = PublicKey(ed25519_blob(bytes.fromhex(one["key"])))
            good = verdict(key, signature, one["msg"].encode())
        except Fault:
            good = False
        assert good == (not harmful & set(one["flags"] or ())), one
        accepted += good
    assert accepted == 86


def wycheproof(folder, name):
    document = json.loads((folder / "wycheproof" / name).read_text())
    for group in document["testGroups"]:
        for test in group["tests"]:
            yield group["publicKey"], bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]), test


def expect_all_as_wycheproof_says(cases):
    counts = {True: 0, False: 0}
    for key, signature, message, test in cases:
        good = signature is not None and verdict(key, signature, message)
        assert good == (test["result"] == "valid"), test
        counts[good] += 1
    return counts[True], counts[False]


def test_wycheproof_ed25519(shared_vectors):
    assert expect_all_as_wycheproof_says(
        (
            PublicKey(ed25519_blob(bytes.fromhex(key["pk"]))),
            wire.text("ssh-ed25519") + wire.string(sig),
            msg,
            test,
        )
        for key, msg, sig, test in wycheproof(shared_vectors, "ed25519_test.json")
    ) == (88, 63)


def ssh_ecdsa(r, s):
    """Wrap a pair for SSH; None where SSH has no way to write it."""
    if r <= 0 or s <= 0:
        return None
    return wire.text(P256) + wire.string(wire.mpint(r) + wire.mpint(s))


def der_pair(sig):
    """Read a DER signature as strictly as DER is; its faults are not what SSH could carry."""
    try:
        r, s = decode_dss_signature(sig)
    except ValueError:
        return None
    return ssh_ecdsa(r, s)


def p1363_pair(sig):
    if len(sig) != 64:
        return None
    return ssh_ecdsa(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big"))


@pytest.mark.parametrize(
    ("name", "convert", "counts"),
    [
        ("ecdsa_secp256r1_sha256_test.json", der_pair, (174, 310)),
        ("ecdsa_secp256r1_sha256_p1363_test.json", p1363_pair, (173, 89)),
    ],
)
def test_wycheproof_ecdsa_p256(shared_vectors, name, convert, counts):
    assert (
        expect_all_as_wycheproof_says(
            (
                PublicKey(ecdsa_blob(P256, "nistp256", bytes.fromhex(key["uncompressed"]))),
                convert(sig),
                msg,
                test,
            )
            for key, msg, sig, test in wycheproof(shared_vectors, name)
        )
        == counts
    )


@pytest.mark.parametrize(("bits", "counts"), [("256", (8, 251)), ("512", (8, 252))])
def test_wycheproof_rsa_3072(shared_vectors, bits, counts):
    assert (
        expect_all_as_wycheproof_says(
            (
                PublicKey(rsa_blob(int(key["publicExponent"], 16), int(key["modulus"], 16))),
                wire.text(f"rsa-sha2-{bits}") + wire.string(sig),
                msg,
                test,
            )
            for key, msg, sig, test in wycheproof(shared_vectors, f"rsa_signature_3072_sha{bits}_test.json")
        )
        == counts
    )
