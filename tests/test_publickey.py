"""Public keys and what they say about signatures, judged by vectors and by ssh-keygen."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from softkeys import PLAIN, TOKENS, soft_key

from bundler.core.fault import Fault
from bundler.signing import edwards, wire
from bundler.signing.publickey import PublicKey, decode_base64, fingerprint

KINDS = (*PLAIN, *TOKENS)
P = 2**255 - 19


def ed25519_blob(raw):
    return wire.text("ssh-ed25519") + wire.string(raw)


def ecdsa_blob(name, curve, point):
    return wire.text(name) + wire.text(curve) + wire.string(point)


def rsa_blob(exponent, modulus):
    return wire.text("ssh-rsa") + wire.mpint(exponent) + wire.mpint(modulus)


def verdict(key, signature, message):
    try:
        key.verify(signature, message)
    except Fault:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_reads_back_what_it_writes(kind):
    key = soft_key(kind).public
    again = PublicKey.parse(f"{key} somebody at work")
    assert (again, again.comment, str(again)) == (key, "somebody at work", f"{key} somebody at work")
    assert PublicKey.parse(f"  {key}\r\n") == key


@pytest.mark.parametrize("kind", KINDS)
def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(kind, tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    key = soft_key(kind).public
    (tmp_path / "key.pub").write_text(f"{key}\n")
    done = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[1] == key.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_verifies_its_own_signature_and_nobody_elses(kind):
    mine, other = soft_key(kind), soft_key(kind, 1)
    signature = mine.sign_blob(b"message")
    mine.public.verify(signature, b"message")
    for key, message in ((mine, b"massage"), (mine, b""), (other, b"message")):
        with pytest.raises(Fault):
            key.public.verify(signature, message)


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.integers(0, 2**16))
def test_one_flipped_bit_in_a_signature_is_always_caught(kind, place):
    key = soft_key(kind)
    signature = bytearray(key.sign_blob(b"message"))
    bit = place % (len(signature) * 8)  # an ECDSA signature varies in length
    signature[bit // 8] ^= 1 << bit % 8
    assert not verdict(key.public, bytes(signature), b"message")


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.integers(0, 2**16))
def test_one_flipped_bit_in_a_key_makes_it_another_key_or_none(kind, place):
    key = soft_key(kind)
    blob = bytearray(key.public.blob)
    bit = place % (len(blob) * 8)
    blob[bit // 8] ^= 1 << bit % 8
    try:
        bent = PublicKey(bytes(blob))
    except Fault:
        return
    assert bent != key.public
    assert not verdict(bent, key.sign_blob(b"message"), b"message")


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.integers(0, 2**16), more=st.binary(min_size=1, max_size=9))
def test_a_key_or_signature_that_is_cut_or_lengthened_is_refused(kind, cut, more):
    key = soft_key(kind)
    signature = key.sign_blob(b"message")
    for bent in (key.public.blob[: cut % len(key.public.blob)], key.public.blob + more):
        with pytest.raises(Fault):
            PublicKey(bent)
    for bent in (signature[: cut % len(signature)], signature + more):
        assert not verdict(key.public, bent, b"message")


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_signature_without_a_touch_is_refused(kind):
    key = soft_key(kind)
    for flags in (0x00, 0x04):  # user verification alone is not presence
        with pytest.raises(Fault) as caught:
            key.public.verify(key.sign_blob(b"message", flags=flags), b"message")
        assert caught.value.message == (
            "expected a touch of the security key, found a signature made without one"
        )
    key.public.verify(key.sign_blob(b"message", flags=0x05), b"message")


@pytest.mark.parametrize(
    ("kind", "algorithm", "message"),
    [
        (
            "rsa",
            "ssh-rsa",
            "expected a signature of type rsa-sha2-256 or rsa-sha2-512, found ssh-rsa (SHA-1)",
        ),
        ("ed25519", "rsa-sha2-512", "expected a signature of type ssh-ed25519, found rsa-sha2-512"),
        ("nistp256", "ssh-ed25519", "expected a signature of type ecdsa-sha2-nistp256, found ssh-ed25519"),
        (
            "sk-nistp256",
            "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
            (
                "expected a signature of type sk-ecdsa-sha2-nistp256@openssh.com, "
                "found webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
            ),
        ),
        (
            "sk-ed25519",
            "ssh-ed25519",
            "expected a signature of type sk-ssh-ed25519@openssh.com, found ssh-ed25519",
        ),
    ],
)
def test_a_signature_of_another_type_is_refused(kind, algorithm, message):
    with pytest.raises(Fault) as caught:
        soft_key(kind).public.verify(wire.text(algorithm) + wire.string(b"\1" * 64), b"")
    assert caught.value.message == message


def test_bytes_behind_an_ecdsa_pair_are_refused():
    key = soft_key("nistp256")
    body = wire.Reader(key.sign_blob(b"message"))
    bent = wire.string(body.string("type")) + wire.string(body.string("pair") + b"\0")
    with pytest.raises(Fault, match="ECDSA signature: expected its end, found 1 more bytes"):
        key.public.verify(bent, b"message")


def test_rsa_signatures_with_sha256_are_read_too():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = soft_key("rsa")
    raw = key.private.sign(b"message", padding.PKCS1v15(), hashes.SHA256())
    key.public.verify(wire.text("rsa-sha2-256") + wire.string(raw), b"message")
    with pytest.raises(Fault, match="expected an RSA signature of 384 bytes, found 383"):
        key.public.verify(wire.text("rsa-sha2-256") + wire.string(raw[1:]), b"message")


def points():
    compressed = (
        ec.derive_private_key(5, ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    )
    plain = (
        ec.derive_private_key(5, ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return compressed, plain


P256 = "ecdsa-sha2-nistp256"
REFUSED_KEYS = [
    (wire.text("ssh-dss"), "expected a key that can still be trusted, found DSA (ssh-dss)"),
    (
        wire.text("ssh-ed25519-cert-v01@openssh.com"),
        "expected a plain key, found the certificate type ssh-ed25519-cert-v01@openssh.com",
    ),
    (wire.text("ssh-ed448"), "expected a known key type, found ssh-ed448"),
    (b"", "length of key type: expected 4 bytes, found 0"),
    (ed25519_blob(b"\1" * 31), "expected an Ed25519 key of 32 bytes, found 31"),
    (
        ed25519_blob((P + 3).to_bytes(32, "little")),
        "expected an Ed25519 key in its one encoding, found a coordinate beyond the prime",
    ),
    (
        ed25519_blob((2).to_bytes(32, "little")),
        "expected an Ed25519 key, found 32 bytes that are no point of the curve",
    ),
    (ecdsa_blob(P256, "nistp384", b"\4"), "expected the curve of ecdsa-sha2-nistp256, found nistp384"),
    (ecdsa_blob(P256, "nistp256", points()[0]), "expected an uncompressed point of nistp256"),
    (ecdsa_blob(P256, "nistp256", b"\0"), "expected an uncompressed point of nistp256"),
    (
        ecdsa_blob(P256, "nistp256", points()[1][:-1] + b"\0"),
        "expected a point of nistp256, found bytes that are none",
    ),
    (
        ecdsa_blob(P256, "nistp256", points()[1]) + b"!",
        "key: expected its end, found 1 more bytes",
    ),
    (rsa_blob(65537, 2**2047 + 1), "expected an RSA key of 3072 to 16384 bits, found 2048"),
    (rsa_blob(65537, 2**16384 + 1), "expected an RSA key of 3072 to 16384 bits, found 16385"),
    (rsa_blob(2**64 + 1, 2**3071 + 1), "expected an RSA exponent below 2**64, found a larger one"),
]


@pytest.mark.parametrize(("blob", "message"), REFUSED_KEYS, ids=range(len(REFUSED_KEYS)))
def test_a_key_that_is_not_accepted_is_refused_with_its_reason(blob, message):
    with pytest.raises(Fault) as caught:
        PublicKey(blob)
    assert caught.value.message == message


def test_an_even_rsa_exponent_is_refused():
    modulus = soft_key("rsa").private.public_key().public_numbers().n
    with pytest.raises(Fault, match="expected an RSA key, found numbers that are none"):
        PublicKey(rsa_blob(65538, modulus))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected a public key: TYPE BASE64 COMMENT"),
        ("ssh-ed25519", "expected a public key: TYPE BASE64 COMMENT"),
        ("somebody AAAA", "expected a key type such as ssh-ed25519, found 'somebody'"),
        ("ssh-ed25519 AA*A", "expected base64, found other characters or a wrong length"),
        ("ssh-ed25519 AAA", "expected base64, found other characters or a wrong length"),
        ("ssh-ed25519 AAB=", "expected base64 in its one form, found stray bits at its end"),
        ("x" * 16385, "expected a key line of at most 16384 characters, found 16385"),
    ],
)
def test_a_line_that_is_no_key_is_refused(line, message):
    with pytest.raises(Fault) as caught:
        PublicKey.parse(line)
    assert caught.value.message == message


def test_a_line_whose_first_word_lies_about_the_type_is_refused():
    line = str(soft_key("nistp256").public).replace("ecdsa-sha2-nistp256", "ssh-ed25519")
    with pytest.raises(Fault) as caught:
        PublicKey.parse(line)
    assert caught.value.message == "expected a key of type ssh-ed25519, found one of type ecdsa-sha2-nistp256"


@given(st.binary(max_size=60))
def test_base64_has_one_form(data):
    assert decode_base64(base64.b64encode(data).decode()) == data


def test_the_fingerprint_of_an_unknown_key_can_be_told():
    assert fingerprint(b"").startswith("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")


# Vectors that nobody here wrote.


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


def test_rsa_keys_of_3072_bits_and_more_are_accepted():
    numbers = rsa.generate_private_key(65537, 4096).public_key().public_numbers()
    assert PublicKey(rsa_blob(numbers.e, numbers.n)).algorithms == ("rsa-sha2-256", "rsa-sha2-512")
