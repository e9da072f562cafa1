"""Making signatures, with whatever holds the private key: a file, ssh-agent, or a token behind `ssh-keygen`.

Every signature is checked with our own verifier before it leaves this module.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from bundler.core.fault import Fault
from bundler.errors import HostFault, UsageFault
from bundler.signing import keyfile, schemes, sshkeygen
from bundler.signing.publickey import PublicKey, looks_like_key_type
from bundler.signing.sshsig import WRITTEN_HASH, Sshsig, armor, signed_data, verify_sshsig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ATTEMPTS = 3  # at a passphrase, as ssh gives


class SigningKey(Protocol):
    """A key that can sign now."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    def sign(self, message: bytes, *, namespace: str) -> bytes:
        """Return an armored SSHSIG over `message`, already verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlobKey:
    """A key in memory or in ssh-agent: `make` turns the bytes to sign into a signature blob."""

    public: PublicKey
    make: Callable[[bytes], bytes]

    def sign(self, message: bytes, *, namespace: str) -> bytes:
        """Return an armored SSHSIG over `message`."""
        signature = self.make(signed_data(message, namespace=namespace))
        sshsig = Sshsig(
            public_key=self.public, namespace=namespace, hash_name=WRITTEN_HASH, signature=signature
        )
        return _checked(armor(sshsig.to_blob()), message, namespace=namespace, key=self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DelegatedKey:
    """A key that only `ssh-keygen` can use: a security key, or one in the agent of Windows."""

    public: PublicKey
    path: Path

    def sign(self, message: bytes, *, namespace: str) -> bytes:
        """Return the armored SSHSIG that `ssh-keygen -Y sign` makes over `message`."""
        armored = sshkeygen.sign(message, key=self.path, namespace=namespace)
        return _checked(armored, message, namespace=namespace, key=self.public)


def open_signing_key(path: Path, *, ask: Callable[[str], str] | None) -> SigningKey:
    """Return the key that `path` names: a private key file, or a `.pub` file whose key ssh-agent holds.

    An encrypted file is opened through ssh-agent where that holds the key, else with the passphrase that
    `ask` returns (`ask` is None without a terminal). `sk-` keys go through `ssh-keygen`, which asks for a
    touch.
    Raises `UsageFault` for a wrong or unreadable key, `HostFault` for what this machine lacks.
    """
    data = keyfile.read_key_file(path)
    try:
        if data.lstrip().startswith(keyfile.OPENSSH_BEGIN):
            return _open_openssh(path, data, ask=ask)
        if b"PRIVATE KEY-----" in data[:200]:
            return _open_private(path, data, encrypted=keyfile.is_encrypted_pem(data), ask=ask)
        text = data.decode("utf-8", "replace").strip()
        if text and looks_like_key_type(text.split(None, 1)[0]) and "\n" not in text:
            return _open_public(path, PublicKey.parse(text))
    except Fault as fault:
        raise UsageFault(f"{path}: {fault.message}", hint=fault.hint or _OTHER_KEY) from None
    raise UsageFault(f"{path}: expected an OpenSSH or PEM key, found something else", hint=_OTHER_KEY)


_OTHER_KEY = "name another key with --key, or make one: uv-bundler keygen PATH"


def _open_openssh(path: Path, data: bytes, *, ask: Callable[[str], str] | None) -> SigningKey:
    blob, encrypted = keyfile.openssh_header(data)
    public = PublicKey(blob)  # a type that is not accepted is refused before anybody types a passphrase
    if public.key_type in (schemes.SK_ED25519, schemes.SK_ECDSA):
        return _DelegatedKey(public=public, path=path)
    if encrypted:
        with contextlib.suppress(HostFault):  # an agent that does not answer is no reason not to ask
            if held := _in_agent(public):
                return held
    return _open_private(path, data, encrypted=encrypted, ask=ask)


def _open_private(
    path: Path, data: bytes, *, encrypted: bool, ask: Callable[[str], str] | None
) -> SigningKey:
    key = _decrypt(path, data, ask=ask) if encrypted else keyfile.load_private(data, passphrase=None)
    return _BlobKey(public=keyfile.public_half(key), make=partial(keyfile.sign_blob, key))


def _decrypt(path: Path, data: bytes, *, ask: Callable[[str], str] | None) -> keyfile.PrivateKey:
    keyfile.check_can_decrypt(path, data)
    if ask is None:
        raise UsageFault(
            f"{path}: needs a passphrase, and there is no terminal to ask on",
            hint="let ssh-agent hold the key (ssh-add KEY) and name its .pub file, or run it on a terminal",
        )
    tried: set[str] = set()
    while len(tried) < _ATTEMPTS:
        passphrase = ask(f"passphrase of {path}")
        if passphrase in tried:  # nobody is typing: the same answer again would be as wrong
            break
        tried.add(passphrase)
        try:
            return keyfile.load_private(data, passphrase=passphrase.encode())
        except keyfile.WrongPassphraseError:
            continue
    raise UsageFault(
        f"{path}: wrong passphrase", hint="run the command again with the passphrase of this key"
    )


def _open_public(path: Path, public: PublicKey) -> SigningKey:
    held = _in_agent(public)
    if held is not None:
        return held
    if os.name == "nt":  # its agent is behind a named pipe, which ssh-keygen knows
        return _DelegatedKey(public=public, path=path)
    raise UsageFault(
        f"{path}: a public key, and ssh-agent does not hold its private half {public.fingerprint}",
        hint=f"add it (ssh-add {path.with_suffix('')}), or name the private key file with --key",
    )


def _in_agent(public: PublicKey) -> SigningKey | None:
    from bundler.signing import agent

    address = agent.agent_address()
    if address is None or public.blob not in agent.agent_keys(address):
        return None
    return _BlobKey(public=public, make=partial(agent.agent_sign, address, key=public))


def _checked(armored: bytes, message: bytes, *, namespace: str, key: PublicKey) -> bytes:
    try:
        made_by = verify_sshsig(armored, message, namespace=namespace)
    except Fault as fault:
        raise HostFault(
            f"{key.fingerprint}: the signature that was just made is not valid: {fault.message}",
            hint=fault.hint or "sign again; if it stays, the token or the agent is at fault",
        ) from None
    if made_by != key:
        raise HostFault(
            f"{key.fingerprint}: the signature that was just made is by {made_by.fingerprint}",
            hint="name the key that the token or the agent really holds",
        )
    return armored
