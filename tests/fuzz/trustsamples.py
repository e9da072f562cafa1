"""Seeds: signatures, and what says whose signatures count."""

from __future__ import annotations

import json

from bundler.signing import wire
from bundler.signing.sshsig import MAGIC, armor, dearmor

from .holders import KINDS, holder
from .signatures import MESSAGE, NAMESPACE
from .trustdocs import KEYS, OLD_NAMESPACE, document


def _armored(fields, *, key=None, version=1, reserved=b""):
    public, namespace, hash_name, signature = fields
    parts = (key or public.blob, namespace.encode(), reserved, hash_name.encode(), signature)
    return armor(MAGIC + wire.uint32(version) + b"".join(map(wire.string, parts)))


def sshsigs():
    """Return armored signatures; those that are accepted are over `MESSAGE`, for `NAMESPACE`."""
    plain = holder("ed25519")
    fields = plain.sshsig(MESSAGE, namespace=NAMESPACE)
    neutral = wire.text("ssh-ed25519") + wire.string(b"\1" + bytes(31))
    good = {f"ok-{kind}": _armored(holder(kind).sshsig(MESSAGE, namespace=NAMESPACE)) for kind in KINDS}
    return good | {
        "ok-sha256": _armored(holder("nistp256").sshsig(MESSAGE, namespace=NAMESPACE, hash_name="sha256")),
        "no-namespace": _armored(plain.sshsig(MESSAGE, namespace="git")),
        "no-message": _armored(plain.sshsig(b"another", namespace=NAMESPACE)),
        "no-touch": _armored(holder("sk-ed25519").sshsig(MESSAGE, namespace=NAMESPACE, flags=0)),
        "no-small-order": _armored(fields, key=neutral),
        "no-reserved": _armored(fields, reserved=b"x"),
        "no-version": _armored(fields, version=2),
        "no-cr": _armored(fields).replace(b"\n", b"\r\n"),
        "no-end": _armored(fields)[:-1],
    }


def blobs():
    """Return what these armors hold."""
    armored = {name: data for name, data in sshsigs().items() if name not in ("no-cr", "no-end")}
    return {name: dearmor(data) for name, data in armored.items()}


def trusts():
    """Return files of keys."""
    lines = [f"{kind}@site {holder(kind).key} of {kind}" for kind in KINDS]
    key = str(holder("ed25519").key)
    padded = str(holder("nistp256").key)  # ends in one =, so the letter before it has two bits to spare
    short = {
        "ok-key": f"{key} packer@site\n",
        "ok-nameless": f"\n# of the packer\n{key}",
        "ok-all": "\n".join(lines),
        "ok-options": f'"two words,b*" namespaces="git,uv-bundler.*,!x",valid-after="20260102Z" {key} c d\r\n',
        "ok-times": f'a valid-after="20260102",valid-before="20991231235959UTC" {key}',
        "ok-quotes": f'"a" namespaces="a\\"b" {key}',
        "ok-mark": f'"\ufeffa" {key}',
        "ok-comment": f'"#a" {key}',
        "ok-type": f'"ssh-rsa" {key}',
        "no-two": f"{key}\n{key}\n",
        "no-option": f'a no-pty,namespaces="x" {key}',
        "no-authority": f"a cert-authority {key}",
        "no-time": f'a valid-after="20261301Z" {key}',
        "no-span": f'a valid-after="20270101Z",valid-before="20260101Z" {key}',
        "no-quote": f'"a {key}',
        "no-key": "# nobody\n",
        "no-stray-bits": f"a {padded[:-2]}{chr(ord(padded[-2]) + 1)}=",
    }
    return {name: text.encode() for name, text in short.items()} | {"no-bom": b"\xef\xbb\xbf" + key.encode()}


def revocations():
    """Return lists of revoked keys."""
    one, two = (holder(kind).key.fingerprint for kind in ("ed25519", "rsa"))
    texts = {
        "ok-two": f"# stolen in May\r\n\n{one} laptop lost, see #12\n\t{two}  left \u00e9\n",
        "ok-twice": f"{one} a\n{one} b",
        "ok-none": "",
        "no-reason": f"{one}\n",
        "no-blank": f"{one}\treason\n",
        "no-key": f"{holder('ed25519').key} stolen\n",
        "no-short": f"{one[:-1]} a\n",
        "no-stray-bits": f"{one[:-1]}B a\n",
        "no-long": f"{one} {'a' * 201}\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def documents():
    """Return trust documents."""
    people = document()["signers"]
    alice, bob = people["alice"], people["bob"]

    def of(**changes):
        return json.dumps(document(**changes)).encode()

    return {
        "ok-plain": of(),
        "ok-expires": of(
            expires="2028-02-29T23:59:59Z", policy={"expiry": "enforce", "first_install": "expected"}
        ),
        "ok-one": of(signers={"alice": alice}, thresholds={"root": 1, "release": 1}, revoked={}),
        "ok-types": of(signers=people | {"erin": {"keys": [_bare("nistp256")], "roles": ["release"]}}),
        "no-type": of(signers=people | {"erin": {"keys": [_bare("rsa")], "roles": ["release"]}}),
        "no-case": of(signers=people | {"Bob": {"keys": [_bare("nistp256")], "roles": ["release"]}}),
        "no-shared": of(signers=people | {"erin": bob}),
        "no-threshold": of(thresholds={"root": 4, "release": 1}),
        "no-nobody": of(thresholds={"root": 0, "release": 1}),
        "no-revoked": of(revoked={KEYS[2].key.fingerprint: "stolen"}),
        "no-comment": of(signers=people | {"bob": bob | {"keys": [f"{KEYS[2].key} bob"]}}),
        "no-role": of(signers=people | {"bob": bob | {"roles": ["root", "root"]}}),
        "no-day": of(expires="2027-02-29T00:00:00Z"),
        "no-early": of(expires="2026-11-20T00:00:00Z"),
    }


def _bare(kind):
    return str(holder(kind).key)


def walks():
    """Return chains: for each step a byte that says which keys sign, and the document."""
    second = document(version=2)
    without_bob = {name: one for name, one in second["signers"].items() if name != "bob"}
    erin = {"keys": [str(KEYS[6].key)], "roles": ["root"]}
    carol_stolen = {KEYS[3].key.fingerprint: "stolen"}

    def chain(*steps):
        return b"\0".join(bytes([bits]) + json.dumps(said).encode() for bits, said in steps)

    def step(bits, **changes):
        return bits, second | changes

    changed = {"alice": second["signers"]["alice"], "erin": erin}
    return {
        "ok-step": chain(step(0b0101)),
        "ok-two": chain(step(0b1100), step(0b0111, version=3, name="plant-7")),
        "ok-new-person": chain(step(0b1000101, signers=changed)),
        "ok-revokes": chain(
            step(0b0101, signers=changed | {"bob": second["signers"]["bob"]}, revoked=carol_stolen)
        ),
        "no-one-person": chain(step(0b0011)),
        "no-role": chain(step(0b10001)),
        "no-revoked": chain(step(0b100001)),
        "no-old": chain(step(0b1000001, signers=changed)),
        "no-new": chain(step(0b0110, signers=without_bob)),
        "no-namespace": chain(step(0b0101 | OLD_NAMESPACE)),
        "no-gap": chain(step(0b0101, version=3)),
        "no-name": chain(step(0b0101, name="plant-8")),
        "no-second": chain(step(0b0101), step(0b0001, version=3)),
    }
