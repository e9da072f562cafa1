"""New key pairs in OpenSSH's form: `PATH` for the signer alone, `PATH.pub` for everybody."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bundler.core.durable import host_faults, sync_folder
from bundler.errors import HostFault, UsageFault
from bundler.signing.publickey import PublicKey

KINDS = ("ecdsa-p256", "ed25519")  # the first is the default: every FIPS host has it


def generate(
    path: Path, *, kind: str = KINDS[0], comment: str = "", passphrase: bytes | None = None
) -> PublicKey:
    """Write a new private key to `path` (0600) and its public half to `PATH.pub` (0644); return the latter.

    Nothing is ever overwritten, and on failure neither file is left. An empty passphrase is none. Raises
    `UsageFault` where one of the files exists, `HostFault` where they cannot be written.
    """
    if kind not in KINDS:
        raise UsageFault(f"--type: expected one of {', '.join(KINDS)}, found {kind!r}")
    if not comment.isprintable():
        raise UsageFault(f"comment: expected one line of printable text, found {comment!r}")
    if passphrase and importlib.util.find_spec("bcrypt") is None:
        raise HostFault(
            "a passphrase needs the Python package bcrypt, which is not installed",
            hint='pip install "uv-bundler[connected]"',
        )
    public_path = Path(f"{path}.pub")
    for taken in (path, public_path):
        if os.path.lexists(taken):
            raise UsageFault(
                f"{taken}: exists already, and keys are never overwritten", hint="choose another path"
            )
    key = (
        ec.generate_private_key(ec.SECP256R1()) if kind == KINDS[0] else ed25519.Ed25519PrivateKey.generate()
    )
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    public = PublicKey.parse(f"{line} {comment}")
    _create(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption), mode=0o600)
    try:
        _create(public_path, f"{public}\n".encode(), mode=0o644)
        with host_faults(path):
            sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return public


def _create(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not exist yet, durable and with exactly this mode; leave nothing on failure."""
    with host_faults(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as stream:
                if hasattr(os, "fchmod"):
                    os.fchmod(handle, mode)
                stream.write(data)
                stream.flush()
                os.fsync(handle)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
