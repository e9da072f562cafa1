"""Keys that are the same in every run, of every kind that is accepted, and signatures that are too.

They are no secrets: whoever reads this file holds them.
"""

from __future__ import annotations

import functools
import hashlib
import random
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bundler.signing import keyfile, wire
from bundler.signing.publickey import PublicKey
from bundler.signing.schemes import ECDSA_HASHES, RSA_HASHES
from bundler.signing.sshsig import signed_data

KINDS = ("ed25519", "nistp256", "nistp384", "nistp521", "rsa", "sk-ed25519", "sk-nistp256")
_CURVES = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
_APPLICATION = b"ssh:"


@dataclass(frozen=True)
class Holder:
    """A private key of a kind, and what it signs."""

    private: Any
    key: PublicKey
    token: bool = False

    def sshsig(self, message, *, namespace, hash_name="sha512", flags=1):
        """Return the fields of a signature: key, namespace, hash, signature."""
        data = signed_data(message, namespace=namespace, hash_name=hash_name)
        if not self.token:
            return self.key, namespace, hash_name, b"".join(_sign(self.private, data))
        tail = bytes([flags]) + wire.uint32(7)
        digests = hashlib.sha256(_APPLICATION).digest(), hashlib.sha256(data).digest()
        inner = _sign(self.private, digests[0] + tail + digests[1])[1]
        return self.key, namespace, hash_name, wire.text(self.key.key_type) + inner + tail


def _sign(private, data):
    """Return name and signature as SSH strings; without randomness, RFC 6979 for ECDSA."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return wire.text("ssh-ed25519"), wire.string(private.sign(data))
    if isinstance(private, rsa.RSAPrivateKey):
        name = "rsa-sha2-512"
        return wire.text(name), wire.string(private.sign(data, padding.PKCS1v15(), RSA_HASHES[name]))
    name = f"ecdsa-sha2-nistp{private.key_size}"
    der = private.sign(data, ec.ECDSA(ECDSA_HASHES[name], deterministic_signing=True))
    return wire.text(name), wire.string(b"".join(map(wire.mpint, decode_dss_signature(der))))


@functools.cache
def holder(kind):
    """Return the holder of this kind of key."""
    if kind.startswith("sk-"):
        inner = holder(kind.removeprefix("sk-"))
        reader = wire.Reader(inner.key.blob)
        name = reader.text("type").replace("ssh-", "sk-ssh-").replace("ecdsa-", "sk-ecdsa-")
        blob = wire.text(f"{name}@openssh.com") + reader.rest() + wire.string(_APPLICATION)
        return Holder(inner.private, PublicKey(blob), token=True)
    private: Any
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
    elif kind == "rsa":
        private = _rsa(random.Random(3))
    else:
        private = ec.derive_private_key(0x1234567 << 200, _CURVES[kind])
    return Holder(private, keyfile.public_half(private))


def _rsa(rng):
    """Return a key of 3072 bits whose primes come from `rng` (Fermat's test is enough for a test key)."""
    p, q = (_prime(rng, 1536) for _ in range(2))
    private = pow(65537, -1, (p - 1) * (q - 1))
    crt = rsa.rsa_crt_dmp1(private, p), rsa.rsa_crt_dmq1(private, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, private, *crt, rsa.RSAPublicNumbers(65537, p * q)).private_key()


def _prime(rng, bits):
    while True:
        number = rng.getrandbits(bits) | 3 << bits - 2 | 1
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23)) and pow(2, number - 1, number) == 1:
            return number
