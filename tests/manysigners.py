"""Signatures of four people and a stranger, good ones and each kind that must not count, and trust in the four."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import trust_by
from softkeys import NAMESPACE, soft_key, sshsig_blob

from bundler.errors import SignatureFault
from bundler.signing import wire
from bundler.signing.publickey import PublicKey
from bundler.signing.schemes import KEY_TYPES
from bundler.signing.sshsig import Sshsig, armor, signed_data
from bundler.signing.trust import verify_signatures
from bundler.signing.trustdoc import Person, Policy, SignedDocument, TrustDocument

MESSAGE = b'{"format": "uv-bundler.index.v1"}\n'
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
COPY = "copy the bundle from its source again and compare `sha256sum` on both sides"
KEYS = {
    "anna": soft_key("nistp256"),
    "anna2": soft_key("ed25519", 1),
    "ben": soft_key("ed25519"),
    "carl": soft_key("sk-ed25519"),
    "rita": soft_key("ed25519", 2),  # root alone
    "stranger": soft_key("ed25519", 3),
}
OWNERS = {"anna": "anna", "anna2": "anna", "ben": "ben", "carl": "carl", "rita": "rita"}


def bare(name):
    return PublicKey(KEYS[name].public.blob)


def print_of(name):
    return KEYS[name].public.fingerprint


def trust_of(release=2, *, root=1, revoked=(), here=(), roles=None):
    """Return the trust in a document with anna (two keys), ben, carl (a security key) and rita, who is root."""
    held = {"anna": ("root", "release"), "ben": ("release",), "carl": ("release",), "rita": ("root",)}
    held.update(roles or {})
    gone = {print_of(name) for name in revoked}
    signers = tuple(
        Person(
            name=person,
            keys=tuple(
                bare(key) for key, owner in OWNERS.items() if owner == person and print_of(key) not in gone
            ),
            roles=held[person],
        )
        for person in sorted(held)
    )
    document = TrustDocument(
        name="plant-7", version=3, created="2026-11-01T00:00:00Z", expires=None, algorithms=KEY_TYPES,
        signers=tuple(one for one in signers if one.keys), root_threshold=root, release_threshold=release,
        revoked=tuple((one, "stolen") for one in sorted(gone)), policy=Policy(),
    )  # fmt: skip
    signed = SignedDocument(raw=document.to_bytes(), signatures=(), number=3)
    return trust_by(signed, revoked_keys={print_of(name): "laptop lost" for name in here})


def by(name, message=MESSAGE, **options):
    return KEYS[name].sign(message, **options)


def malleated(name="anna"):
    """The same ECDSA signature as another pair of numbers: valid, with other bytes."""
    sshsig = Sshsig.from_armor(by(name))
    body = wire.Reader(sshsig.signature)
    kind, pair = body.text("type"), wire.Reader(body.string("pair"))
    r, s = pair.mpint("r"), pair.mpint("s")
    twin = wire.text(kind) + wire.string(wire.mpint(r) + wire.mpint(ORDER - s))
    return armor(replace(sshsig, signature=twin).to_blob())


def beyond_the_order(name="ben"):
    """An Ed25519 signature whose second half is raised by the group's order, which some verifiers take."""
    order = 2**252 + 27742317777372353535851937790883648493
    sshsig = Sshsig.from_armor(by(name))
    body = wire.Reader(sshsig.signature)
    kind, raw = body.text("type"), body.string("signature")
    raised = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    return armor(replace(sshsig, signature=wire.text(kind) + wire.string(raised)).to_blob())


def touchless():
    data = signed_data(MESSAGE, namespace=NAMESPACE)
    key = KEYS["carl"]
    return armor(sshsig_blob(key.public.blob, NAMESPACE, "sha512", key.sign_blob(data, flags=0)))


def small_order():
    """The signature that anybody can write for a key of small order: R and key the identity, S zero."""
    identity = b"\x01" + b"\0" * 31
    blob = wire.text("ssh-ed25519") + wire.string(identity)
    signature = wire.text("ssh-ed25519") + wire.string(identity + b"\0" * 32)
    return armor(sshsig_blob(blob, NAMESPACE, "sha512", signature))


def relabelled(to="ben"):
    """The stranger's signature under another's key."""
    return armor(replace(Sshsig.from_armor(by("stranger")), public_key=bare(to)).to_blob())


def accepted(signatures, trust, **options):
    return [one.principal for one in verify_signatures(MESSAGE, signatures, trust=trust, **options)]


def refusal(signatures, trust, **options):
    with pytest.raises(SignatureFault) as caught:
        verify_signatures(MESSAGE, signatures, trust=trust, **options)
    assert caught.value.exit_code == 3
    return caught.value
