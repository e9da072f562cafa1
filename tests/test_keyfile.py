"""Signing with a private key in a file: plain or under a passphrase; what cannot sign is refused."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from signingkeys import FORMS, key_file, refused, signs_as, write
from softkeys import PLAIN, soft_key

from bundler.errors import HostFault, UsageFault
from bundler.signing.keygen import generate
from bundler.signing.signer import open_signing_key


@pytest.fixture(autouse=True)
def _no_agent_of_the_person_who_runs_the_tests(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize(
    ("kind", "form"),
    # There is no traditional PEM form of Ed25519.
    [(kind, form) for kind in PLAIN for form in FORMS if (kind, form) != ("ed25519", "traditional")],
)
def test_a_plain_private_key_signs(tmp_path, kind, form):
    key = soft_key(kind)
    signs_as(key.public, key_file(tmp_path / "key", key.private, form=form))


@pytest.mark.parametrize("form", FORMS)
def test_an_encrypted_key_asks_for_its_passphrase(tmp_path, form):
    key = soft_key("nistp256")
    path = key_file(tmp_path / "key", key.private, form=form, passphrase=b"secret")
    asked = []
    signs_as(key.public, path, ask=lambda prompt: asked.append(prompt) or "secret")
    assert asked == [f"passphrase of {path}"]


def test_a_wrong_passphrase_may_be_mended_twice(tmp_path):
    key = soft_key("nistp256")
    path = key_file(tmp_path / "key", key.private, form="pkcs8", passphrase=b"secret")
    answers = iter(["one", "two", "secret", "never asked"])
    signs_as(key.public, path, ask=lambda _: next(answers))
    assert next(answers) == "never asked"
    answers = iter(["one", "two", "three", "secret"])
    assert refused(UsageFault, path, ask=lambda _: next(answers)) == f"{path}: wrong passphrase"


def test_the_same_wrong_answer_is_not_tried_again(tmp_path):
    path = key_file(tmp_path / "key", soft_key("nistp256").private, form="openssh", passphrase=b"secret")
    asked = []
    assert refused(UsageFault, path, ask=lambda _: asked.append(1) or "wrong") == f"{path}: wrong passphrase"
    assert len(asked) == 2


def test_an_encrypted_key_without_a_terminal_is_a_usage_fault(tmp_path):
    path = key_file(tmp_path / "key", soft_key("nistp256").private, passphrase=b"secret")
    assert refused(UsageFault, path) == f"{path}: needs a passphrase, and there is no terminal to ask on"


def test_an_encrypted_key_without_bcrypt_is_a_host_fault_before_anybody_is_asked(tmp_path, monkeypatch):
    path = key_file(tmp_path / "key", soft_key("nistp256").private, passphrase=b"secret")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert refused(HostFault, path, ask=lambda _: pytest.fail("asked")) == (
        f"{path}: an encrypted key, and the Python package bcrypt is not installed"
    )


def test_a_key_that_ssh_keygen_encrypted_is_opened(tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen, and it is not on PATH")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "4", "-N", "secret", "-f", path], check=True)
    opened = open_signing_key(path, ask=lambda _: "secret")
    assert (
        opened.public.fingerprint
        in subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_private_key_that_others_can_read_is_refused_as_ssh_does(tmp_path, mode):
    path = tmp_path / "key"
    generate(path)
    path.chmod(mode)
    assert refused(UsageFault, path) == (
        f"{path}: mode {mode:04o} lets others read the private key, expected 0600"
    )


def pem(private, form=PrivateFormat.PKCS8):
    return private.private_bytes(Encoding.PEM, form, NoEncryption())


UNUSABLE = [
    (b"", "expected an OpenSSH or PEM key, found something else"),
    (b"hello\n", "expected an OpenSSH or PEM key, found something else"),
    (b"\xff" * 70000, "expected a key file of at most 65536 bytes, found more"),
    (b"ssh-ed25519 AAAA\n", "length of key type: expected 4 bytes, found 3"),
    (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "magic: expected 15 bytes, found 3",
    ),
    (
        pem(dsa.generate_private_key(1024)),  # noqa: S505  # refused whatever its size, and quick to make
        "expected an ECDSA, Ed25519 or RSA key, found another kind",
    ),
    (
        pem(ec.generate_private_key(ec.SECP256K1())),
        "expected a curve of OpenSSH (nistp256, nistp384, nistp521), found another",
    ),
    (
        pem(rsa.generate_private_key(65537, 2048)),
        "expected an RSA key of 3072 to 16384 bits, found 2048",
    ),
    (
        pem(rsa.generate_private_key(65537, 2048), PrivateFormat.OpenSSH),
        "expected an RSA key of 3072 to 16384 bits, found 2048",
    ),
]


@pytest.mark.parametrize(("data", "message"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_a_file_that_cannot_sign_is_refused(tmp_path, data, message):
    path = write(tmp_path / "key", data)
    assert refused(UsageFault, path) == f"{path}: {message}"


def test_a_damaged_private_key_is_refused(tmp_path):
    path = write(tmp_path / "key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert refused(UsageFault, path).startswith(f"{path}: expected a private key, found damaged content (")


def test_a_key_that_is_not_there_tells_how_to_make_one(tmp_path):
    path = tmp_path / "key"
    with pytest.raises(UsageFault) as caught:
        open_signing_key(path, ask=None)
    assert caught.value.message == f"{path}: no such key"
    assert caught.value.hint == f"check --key, or make one: uv-bundler keygen {path}"
    assert refused(UsageFault, tmp_path) == f"{tmp_path}: expected a key file, found something else"
