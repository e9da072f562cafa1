"""Keys and lines that are no key to be trusted: each is refused with its reason."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from keyblobs import P256, ecdsa_blob, ed25519_blob, rsa_blob
from softkeys import soft_key

from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.publickey import PublicKey

P = 2**255 - 19


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
