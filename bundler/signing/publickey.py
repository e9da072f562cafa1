"""A public key as OpenSSH writes it, its fingerprint, and what it says about a signature.

Guarantees that a `PublicKey` is one of the accepted types, well-formed to the last byte and strong enough:
there is no other way to make one (FORMAT.md, "Signatures").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.signing import schemes, wire

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE = 16 << 10  # characters; RSA-16384 needs 2800
_KEY_TYPE = re.compile(r"(?:ssh|ecdsa|sk)-[a-z0-9-]{1,60}(?:@openssh\.com)?")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of an accepted type; two are equal where their blobs are, whatever the comment says."""

    blob: bytes
    comment: str = field(default="", compare=False)
    key_type: str = field(init=False, compare=False)
    _scheme: schemes.Scheme = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        reader = wire.Reader(self.blob)
        key_type = reader.text("key type")
        object.__setattr__(self, "key_type", key_type)
        object.__setattr__(self, "_scheme", schemes.read_scheme(key_type, reader))

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Read a line `TYPE BASE64 [COMMENT]`, as in a `.pub` file; raises `Fault` for anything else."""
        if len(line) > MAX_LINE:
            raise Fault(f"expected a key line of at most {MAX_LINE} characters, found {len(line)}")
        words = line.strip().split(None, 2)
        if len(words) < 2:
            raise Fault("expected a public key: TYPE BASE64 COMMENT")
        if not looks_like_key_type(words[0]):
            raise Fault(f"expected a key type such as {schemes.ED25519}, found {words[0]!r}")
        blob = decode_base64(words[1])
        inside = wire.Reader(blob).text("key type")
        if inside != words[0]:
            raise Fault(f"expected a key of type {words[0]}, found one of type {inside}")
        return cls(blob, words[2].strip() if len(words) > 2 else "")

    def __str__(self) -> str:
        return f"{self.key_type} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, exactly as `ssh-keygen -lf` prints it."""
        return fingerprint(self.blob)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that fit this key."""
        return self._scheme.algorithms

    @property
    def material(self) -> tuple[str, bytes]:
        """What the private half hangs on: two keys that have it in common are one secret."""
        return self._scheme.material

    def read_signature(self, signature: bytes) -> Callable[[bytes], None]:
        """Read a signature blob and return its check of a message, which raises `Fault` if it is not valid.

        Raises `Fault` where the blob is malformed, of a type that is not this key's, or, for a security key,
        made without a touch.
        """
        body = wire.Reader(signature)
        algorithm = body.text("signature type")
        if algorithm not in self.algorithms:
            weak = " (SHA-1)" if algorithm == schemes.RSA else ""
            expected = " or ".join(self.algorithms)
            raise Fault(f"expected a signature of type {expected}, found {algorithm}{weak}")
        return self._scheme.read(algorithm, body)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `Fault` unless `signature` is this key's over exactly `message`."""
        self.read_signature(signature)(message)


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a key blob of any type, known or not."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint as it stands; raises `Fault` for one that no key can have."""
    try:
        digest = decode_base64(text.removeprefix("SHA256:") + "=")
    except Fault:
        digest = b""
    if not text.startswith("SHA256:") or len(digest) != hashlib.sha256().digest_size:
        raise Fault(f"expected a fingerprint: SHA256: and 43 characters, found {text[:100]!r}")
    return text


def looks_like_key_type(word: str) -> bool:
    """Tell whether `word` is shaped like the name of an OpenSSH key type, accepted here or not."""
    return bool(_KEY_TYPE.fullmatch(word))


def decode_base64(text: str) -> bytes:
    """Return what `text` encodes; raises `Fault` for any but the one base64 form of bytes (RFC 4648 §3.5)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault("expected base64, found other characters or a wrong length") from None
    if base64.b64encode(data).decode() != text:
        raise Fault("expected base64 in its one form, found stray bits at its end")
    return data
