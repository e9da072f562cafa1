"""SSHSIG, OpenSSH's signature format (`PROTOCOL.sshsig` in openssh-portable), read more strictly than there.

`ssh-keygen` accepts text around the armor, blanks in it, a non-empty `reserved` and version 0; this reader
does not (FORMAT.md, "Signatures"). What it accepts, `ssh-keygen` 8.1 and later accept too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.index import MAX_SIGNATURE_BYTES
from bundler.signing import wire
from bundler.signing.publickey import PublicKey, decode_base64, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = b"SSHSIG"  # clause 2
VERSION = 1  # clause 2: "Verifiers MUST reject signatures with versions greater than those they support"
WRITTEN_HASH = "sha512"
_HASHES: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
}
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_WIDTH = 70  # columns, as OpenSSH writes; clause 1 says 76
_LINE = re.compile(r"[A-Za-z0-9+/]{1,76}|[A-Za-z0-9+/]{0,74}={1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshsig:
    """The fields of one signature (clause 2); well-formed, and nothing said about its validity."""

    public_key: PublicKey
    namespace: str
    hash_name: str
    signature: bytes

    @classmethod
    def parse(cls, blob: bytes) -> Sshsig:
        """Read the binary form; raises `Fault` unless it is exactly one signature by an accepted key."""
        reader = wire.Reader(blob)
        if reader.take(len(MAGIC), "magic") != MAGIC:
            raise Fault("expected a signature beginning with SSHSIG")
        if (version := reader.uint32("version")) != VERSION:
            raise Fault(f"expected SSHSIG version {VERSION}, found {version}")
        key_blob = reader.string("public key")
        namespace = reader.text("namespace")
        if not namespace:  # clause 2: "MUST NOT be the empty string"
            raise Fault("expected a namespace, found none")
        if reader.string("reserved"):  # clause 2: "reserved"; it is signed, but no meaning is known
            raise Fault("expected an empty field 'reserved', found content")
        hash_name = reader.text("hash algorithm")
        if hash_name not in _HASHES:  # clause 2: "The supported hash algorithms are sha256 and sha512"
            raise Fault(f"expected the hash sha256 or sha512, found {hash_name}")
        signature = reader.string("signature")
        reader.end("SSHSIG")
        try:
            key = PublicKey(key_blob)
        except Fault as fault:
            raise Fault(f"key {fingerprint(key_blob)}: {fault.message}", hint=fault.hint) from None
        return cls(public_key=key, namespace=namespace, hash_name=hash_name, signature=signature)

    def to_blob(self) -> bytes:
        """Write the binary form; `parse` gives back the same fields."""
        return b"".join(
            (
                MAGIC,
                wire.uint32(VERSION),
                wire.string(self.public_key.blob),
                wire.text(self.namespace),
                wire.string(b""),
                wire.text(self.hash_name),
                wire.string(self.signature),
            )
        )

    @classmethod
    def from_armor(cls, armored: bytes) -> Sshsig:
        """Read the text form; raises `Fault`."""
        return cls.parse(dearmor(armored))

    def verify(self, message: bytes, *, namespace: str) -> PublicKey:
        """Return the key that signed `message` in `namespace`; raises `Fault` where none did.

        Cryptographic validity only: whether the key is trusted is `bundler.signing.trust`'s question.
        """
        if self.namespace != namespace:
            raise Fault(f"expected a signature for {namespace!r}, found one for {self.namespace!r}")
        signed = signed_data(message, namespace=self.namespace, hash_name=self.hash_name)
        self.public_key.verify(self.signature, signed)
        return self.public_key


def signed_data(message: bytes, *, namespace: str, hash_name: str = WRITTEN_HASH) -> bytes:
    """Return the bytes that a key really signs for `message` (clause 3)."""
    hashed = _HASHES[hash_name](message)
    return b"".join(
        (MAGIC, wire.text(namespace), wire.string(b""), wire.text(hash_name), wire.string(hashed))
    )


def armor(blob: bytes) -> bytes:
    """Write the text form (clause 1) as OpenSSH does: lines of 70 columns, LF, a final newline."""
    body = base64.b64encode(blob).decode()
    lines = [body[at : at + _WIDTH] for at in range(0, len(body), _WIDTH)]
    return "\n".join((_BEGIN, *lines, _END, "")).encode()


def dearmor(armored: bytes) -> bytes:
    """Return what an armor (clause 1) of at most 16 KiB holds; raises `Fault` for anything around it."""
    if len(armored) > MAX_SIGNATURE_BYTES:
        raise Fault(f"expected a signature of at most {MAX_SIGNATURE_BYTES} bytes, found {len(armored)}")
    if b"\r" in armored:
        raise Fault("expected LF line ends, found CR: something converted the signature on its way")
    try:
        lines = armored.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Fault("expected an armored SSH signature, found binary content") from None
    if lines[0] != _BEGIN:
        raise Fault(f"expected {_BEGIN} as the first line, found {lines[0][:40]!r}")
    if lines[-1] or len(lines) < 4 or lines[-2] != _END:
        raise Fault(f"expected {_END} as the last line")
    for number, line in enumerate(lines[1:-2], start=2):
        if not _LINE.fullmatch(line):
            raise Fault(f"line {number}: expected 1 to 76 characters of base64, found {line[:40]!r}")
    return decode_base64("".join(lines[1:-2]))


def verify_sshsig(armored: bytes, message: bytes, *, namespace: str) -> PublicKey:
    """Return the key that made this armored signature over `message` in `namespace`; raises `Fault`."""
    return Sshsig.from_armor(armored).verify(message, namespace=namespace)


def claimed_key(armored: bytes) -> PublicKey:
    """Return the key that a signature names, checking nothing: for `inspect`; raises `Fault`."""
    return Sshsig.from_armor(armored).public_key
