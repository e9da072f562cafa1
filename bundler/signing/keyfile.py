"""Private key files: OpenSSH's own form and PEM, plain or under a passphrase.

A key that others can read is refused, as ssh refuses it: `chmod 600`.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import HostFault, UsageFault
from bundler.signing import schemes, wire
from bundler.signing.publickey import PublicKey, decode_base64

if TYPE_CHECKING:
    from pathlib import Path

    PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MAX_KEY_BYTES = 64 << 10
OPENSSH_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_END = b"-----END OPENSSH PRIVATE KEY-----"
_OPENSSH_MAGIC = b"openssh-key-v1\0"  # PROTOCOL.key


class WrongPassphraseError(ValueError):
    """The passphrase does not open the key."""


def read_key_file(path: Path) -> bytes:
    """Return the bytes of a key file; raises `UsageFault` where it is none, or where others can read it."""
    with host_faults(path):
        if not path.exists():
            raise UsageFault(
                f"{path}: no such key", hint=f"check --key, or make one: uv-bundler keygen {path}"
            )
        if not path.is_file():
            raise UsageFault(f"{path}: expected a key file, found something else", hint="check --key")
        state = path.stat()
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_BYTES + 1)
    if len(data) > MAX_KEY_BYTES:
        raise UsageFault(
            f"{path}: expected a key file of at most {MAX_KEY_BYTES} bytes, found more", hint="check --key"
        )
    mode = stat.S_IMODE(state.st_mode)
    if b"PRIVATE KEY-----" in data and os.name != "nt" and state.st_uid == os.geteuid() and mode & 0o077:
        raise UsageFault(
            f"{path}: mode {mode:04o} lets others read the private key, expected 0600",
            hint=f"if nobody else has read it: chmod 600 {path}; otherwise make a new one",
        )
    return data


def openssh_header(data: bytes) -> tuple[bytes, bool]:
    """Return the public blob of an OpenSSH private key file, and whether it is encrypted (PROTOCOL.key).

    Both stand in the clear before the encrypted part. Raises `Fault`.
    """
    body = data.strip().removeprefix(OPENSSH_BEGIN).removesuffix(_OPENSSH_END)
    reader = wire.Reader(decode_base64("".join(body.decode("ascii", "replace").split())))
    if reader.take(len(_OPENSSH_MAGIC), "magic") != _OPENSSH_MAGIC:
        raise Fault("expected an OpenSSH private key, found other content")
    cipher = reader.text("cipher")
    reader.string("key derivation")
    reader.string("its options")
    if (count := reader.uint32("number of keys")) != 1:
        raise Fault(f"expected one key in the file, found {count}")
    return reader.string("public key"), cipher != "none"


def is_encrypted_pem(data: bytes) -> bool:
    """Tell whether a PEM private key needs a passphrase (RFC 7468 §11, RFC 1421 §4.6)."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in data or b"Proc-Type: 4,ENCRYPTED" in data


def check_can_decrypt(path: Path, data: bytes) -> None:
    """Raise `HostFault` where an encrypted OpenSSH key cannot be opened for want of bcrypt."""
    if data.lstrip().startswith(OPENSSH_BEGIN) and importlib.util.find_spec("bcrypt") is None:
        raise HostFault(
            f"{path}: an encrypted key, and the Python package bcrypt is not installed",
            hint='pip install "uv-bundler[connected]", or let ssh-agent hold the key and name its .pub file',
        )


def load_private(data: bytes, *, passphrase: bytes | None) -> PrivateKey:
    """Return the key in `data`; raises `WrongPassphraseError`, or `Fault` for no usable private key."""
    load = load_ssh_private_key if data.lstrip().startswith(OPENSSH_BEGIN) else load_pem_private_key
    try:
        key = load(data, password=passphrase)
    except UnsupportedAlgorithm as error:
        raise Fault(f"expected a key of a known kind, found another ({error})") from None
    except (ValueError, TypeError) as error:
        if passphrase is not None:
            raise WrongPassphraseError(str(error)) from None
        raise Fault(f"expected a private key, found damaged content ({error})") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Fault("expected an ECDSA, Ed25519 or RSA key, found another kind")
    return key


def public_half(key: PrivateKey) -> PublicKey:
    """Return the public half; raises `Fault` where its type is not accepted."""
    try:
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, UnsupportedAlgorithm):
        raise Fault("expected a curve of OpenSSH (nistp256, nistp384, nistp521), found another") from None
    return PublicKey.parse(line.decode("ascii"))


def sign_blob(key: PrivateKey, data: bytes) -> bytes:
    """Return the signature blob of `key` over `data`: RSA with SHA-512, ECDSA with the hash of its curve."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return wire.text(schemes.ED25519) + wire.string(key.sign(data))
    if isinstance(key, rsa.RSAPrivateKey):
        name = "rsa-sha2-512"
        return wire.text(name) + wire.string(key.sign(data, padding.PKCS1v15(), schemes.RSA_HASHES[name]))
    name = public_half(key).key_type
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(schemes.ECDSA_HASHES[name])))
    return wire.text(name) + wire.string(wire.mpint(r) + wire.mpint(s))
