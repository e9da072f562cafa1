"""The signature algorithms that this format knows, from the fields of a key blob to a verdict.

Sources: RFC 4253 §6.6 and RFC 8332 (RSA), RFC 5656 §3.1 (ECDSA), RFC 8709 (Ed25519), and PROTOCOL.u2f of
OpenSSH (`sk-`).
Everything else is refused by `read_scheme`, with the reason where there is one to tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.edwards import ORDER, check_point

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_RSA_BITS = 3072  # 128 bits of security (NIST SP 800-57)
MAX_RSA_BITS = 16384  # OpenSSH's own limit; bounds the work that a hostile key can ask for
USER_PRESENT = 0x01  # flag of a security key: somebody touched it (PROTOCOL.u2f)

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
RSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
ECDSA_HASHES: dict[str, hashes.HashAlgorithm] = {  # RFC 5656 §6.2.1
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ecdsa-sha2-nistp256": ec.SECP256R1(),
    "ecdsa-sha2-nistp384": ec.SECP384R1(),
    "ecdsa-sha2-nistp521": ec.SECP521R1(),
}
KEY_TYPES = (ED25519, *ECDSA_HASHES, RSA, SK_ED25519, SK_ECDSA)


class Scheme(Protocol):
    """What can be done with the public key of one algorithm."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The names that a signature by this key may bear."""

    @property
    def material(self) -> tuple[str, bytes]:
        """What the private half hangs on: equal wherever one secret, or its negative, serves both keys."""

    def read(self, algorithm: str, body: wire.Reader) -> Callable[[bytes], None]:
        """Read what follows the algorithm's name in a signature, to its end; return the check of a message.

        Raises `Fault` where the fields do not fit; the check raises `Fault` where the signature is not valid.
        """


def read_scheme(key_type: str, body: wire.Reader) -> Scheme:
    """Read what follows the type's name in a key blob, to its end; raises `Fault` for keys not accepted."""
    scheme: Scheme
    if key_type == ED25519:
        scheme = _read_ed25519(body)
    elif key_type in _CURVES:
        scheme = _read_ecdsa(key_type, body)
    elif key_type == RSA:
        scheme = _read_rsa(body)
    elif key_type == SK_ED25519:
        scheme = _SecurityKey(
            name=key_type, inner=_read_ed25519(body), application=body.string("application")
        )
    elif key_type == SK_ECDSA:
        inner = _read_ecdsa("ecdsa-sha2-nistp256", body)
        scheme = _SecurityKey(name=key_type, inner=inner, application=body.string("application"))
    else:
        raise Fault(_refusal(key_type), hint=f"accepted are {', '.join(KEY_TYPES)}")
    body.end("key")
    return scheme


def _refusal(key_type: str) -> str:
    if "-cert-v0" in key_type:
        return f"expected a plain key, found the certificate type {key_type}"
    if key_type == "ssh-dss":
        return "expected a key that can still be trusted, found DSA (ssh-dss)"
    return f"expected a known key type, found {key_type}"


@dataclass(frozen=True, slots=True)
class _Ed25519:
    key: ed25519.Ed25519PublicKey

    @property
    def algorithms(self) -> tuple[str, ...]:
        return (ED25519,)

    @property
    def material(self) -> tuple[str, bytes]:
        raw = self.key.public_bytes_raw()
        return ED25519, raw[:31] + bytes([raw[31] & 0x7F])  # without the sign of x

    def read(self, algorithm: str, body: wire.Reader) -> Callable[[bytes], None]:
        raw = body.string("Ed25519 signature")
        body.end("signature")
        if len(raw) != 64:
            raise Fault(f"expected an Ed25519 signature of 64 bytes, found {len(raw)}")
        # RFC 8032 §5.1.7. ssh-keygen before OpenSSH 10.4 takes it: anybody can write that second form.
        if int.from_bytes(raw[32:], "little") >= ORDER:
            raise Fault("expected an Ed25519 signature in its one form, found a number beyond the order")
        return _guarded(algorithm, lambda message: self.key.verify(raw, message))


@dataclass(frozen=True, slots=True)
class _Ecdsa:
    name: str
    key: ec.EllipticCurvePublicKey

    @property
    def algorithms(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def material(self) -> tuple[str, bytes]:
        return self.name, self.key.public_numbers().x.to_bytes(66, "big")

    def read(self, algorithm: str, body: wire.Reader) -> Callable[[bytes], None]:
        pair = wire.Reader(body.string("ECDSA signature"))
        der = encode_dss_signature(pair.mpint("r"), pair.mpint("s"))
        pair.end("ECDSA signature")
        body.end("signature")
        scheme = ec.ECDSA(ECDSA_HASHES[self.name])
        return _guarded(algorithm, lambda message: self.key.verify(der, message, scheme))


@dataclass(frozen=True, slots=True)
class _Rsa:
    key: rsa.RSAPublicKey

    @property
    def algorithms(self) -> tuple[str, ...]:
        return tuple(RSA_HASHES)

    @property
    def material(self) -> tuple[str, bytes]:
        return RSA, wire.mpint(self.key.public_numbers().n)  # whatever the exponent

    def read(self, algorithm: str, body: wire.Reader) -> Callable[[bytes], None]:
        raw = body.string("RSA signature")
        body.end("signature")
        expected = (self.key.key_size + 7) // 8  # RFC 8332 §3: as long as the modulus
        if len(raw) != expected:
            raise Fault(f"expected an RSA signature of {expected} bytes, found {len(raw)}")
        digest = RSA_HASHES[algorithm]
        return _guarded(algorithm, lambda message: self.key.verify(raw, message, padding.PKCS1v15(), digest))


@dataclass(frozen=True, slots=True)
class _SecurityKey:
    """A FIDO key: it signs the application's hash, flags and a counter before the hash of the message."""

    name: str
    inner: _Ed25519 | _Ecdsa
    application: bytes

    @property
    def algorithms(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def material(self) -> tuple[str, bytes]:
        return self.inner.material  # whatever the application

    def read(self, algorithm: str, body: wire.Reader) -> Callable[[bytes], None]:
        signature = wire.string(body.string("signature of the security key"))
        flags = body.take(1, "flags")
        counter = body.take(4, "counter")
        body.end("signature")
        # `ssh-keygen -Y verify` accepts these: nobody need have touched the key.
        if not flags[0] & USER_PRESENT:
            raise Fault(
                "expected a touch of the security key, found a signature made without one",
                hint="sign again, and touch the key when it blinks",
            )
        check = self.inner.read(algorithm, wire.Reader(signature))
        prefix = hashlib.sha256(self.application).digest() + flags + counter
        return lambda message: check(prefix + hashlib.sha256(message).digest())


def _read_ed25519(body: wire.Reader) -> _Ed25519:
    raw = body.string("Ed25519 key")
    check_point(raw)
    return _Ed25519(ed25519.Ed25519PublicKey.from_public_bytes(raw))


def _read_ecdsa(name: str, body: wire.Reader) -> _Ecdsa:
    curve, point = body.text("curve"), body.string("point")
    if curve != name.rpartition("-")[2]:
        raise Fault(f"expected the curve of {name}, found {curve}")
    if point[:1] != b"\x04":  # RFC 5656 §3.1 leaves compression open; OpenSSH takes uncompressed points only
        raise Fault(f"expected an uncompressed point of {curve}")
    try:
        return _Ecdsa(name, ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[name], point))
    except ValueError:
        raise Fault(f"expected a point of {curve}, found bytes that are none") from None


def _read_rsa(body: wire.Reader) -> _Rsa:
    exponent, modulus = body.mpint("exponent"), body.mpint("modulus")
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise Fault(f"expected an RSA key of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, found {bits}")
    if exponent >= 1 << 64:  # OpenSSL takes no more beyond 3072 bits
        raise Fault("expected an RSA exponent below 2**64, found a larger one")
    try:
        return _Rsa(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    except ValueError as error:
        raise Fault(f"expected an RSA key, found numbers that are none ({error})") from None


def _guarded(algorithm: str, check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def verify(message: bytes) -> None:
        try:
            check(message)
        except InvalidSignature:
            raise Fault(f"the {algorithm} signature does not fit these bytes and this key") from None

    return verify
