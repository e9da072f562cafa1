"""Keys in memory that really sign, security keys included, and signatures with any field bent."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bundler.signing import keyfile, wire
from bundler.signing.publickey import PublicKey
from bundler.signing.sshsig import MAGIC, armor, signed_data

NAMESPACE = "uv-bundler.index.v1"
PLAIN = ("ed25519", "nistp256", "nistp384", "nistp521", "rsa")
TOKENS = ("sk-ed25519", "sk-nistp256")
KINDS = (*PLAIN, *TOKENS)
_CURVES = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}


@dataclass(frozen=True)
class SoftKey:
    private: object
    public: PublicKey
    application: bytes | None = None

    def sign_blob(self, data, *, flags=1, counter=7):
        if self.application is None:
            return keyfile.sign_blob(self.private, data)
        tail = bytes([flags]) + wire.uint32(counter)
        inner = wire.Reader(
            keyfile.sign_blob(
                self.private,
                hashlib.sha256(self.application).digest() + tail + hashlib.sha256(data).digest(),
            )
        )
        inner.string("type")
        return wire.text(self.public.key_type) + wire.string(inner.string("signature")) + tail

    def sign(self, message, *, namespace=NAMESPACE, hash_name="sha512", **bent):
        data = signed_data(message, namespace=namespace, hash_name=hash_name)
        signature = self.sign_blob(data, **bent)
        return armor(sshsig_blob(self.public.blob, namespace, hash_name, signature))


def sshsig_blob(key, namespace, hash_name, signature, *, version=1, reserved=b"", magic=MAGIC):
    fields = (key, namespace.encode(), reserved, hash_name.encode(), signature)
    return magic + wire.uint32(version) + b"".join(map(wire.string, fields))


@functools.cache
def soft_key(kind, number=0):
    """Return the same key for the same `kind` and `number` throughout a run."""
    if kind.startswith("sk-"):
        inner = soft_key(kind.removeprefix("sk-"), number + 1000)
        reader = wire.Reader(inner.public.blob)
        name = f"sk-{reader.text('type')}@openssh.com"
        if kind == "sk-ed25519":
            name = "sk-ssh-ed25519@openssh.com"
        blob = wire.text(name) + reader.rest() + wire.string(b"ssh:")
        return SoftKey(inner.private, PublicKey(blob), b"ssh:")
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
    elif kind == "rsa":
        private = rsa.generate_private_key(65537, 3072)
    else:
        private = ec.generate_private_key(_CURVES[kind])
    return SoftKey(private, keyfile.public_half(private))
