"""Public keys as SSH writes them, put together from their numbers, and whether one takes a signature."""

from __future__ import annotations

from bundler.core.fault import Fault
from bundler.signing import wire

P256 = "ecdsa-sha2-nistp256"


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
