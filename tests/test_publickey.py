"""Public keys and what they say about signatures, judged by ssh-keygen and by one flipped bit."""

from __future__ import annotations

import base64
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from keyblobs import rsa_blob, verdict
from softkeys import KINDS, TOKENS, soft_key

from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.publickey import PublicKey, decode_base64, fingerprint


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


@given(st.binary(max_size=60))
def test_base64_has_one_form(data):
    assert decode_base64(base64.b64encode(data).decode()) == data


def test_the_fingerprint_of_an_unknown_key_can_be_told():
    assert fingerprint(b"").startswith("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")


def test_rsa_keys_of_3072_bits_and_more_are_accepted():
    numbers = rsa.generate_private_key(65537, 4096).public_key().public_numbers()
    assert PublicKey(rsa_blob(numbers.e, numbers.n)).algorithms == ("rsa-sha2-256", "rsa-sha2-512")
