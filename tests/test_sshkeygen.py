"""Signing with a security key through ssh-keygen: what comes back is checked before it leaves."""

from __future__ import annotations

import base64
import os
import sys

import pytest
from signingkeys import MESSAGE, key_file, signs_as, write
from softkeys import NAMESPACE, soft_key

from bundler.errors import HostFault, UsageFault
from bundler.signing import wire
from bundler.signing.signer import open_signing_key

FAKE_KEYGEN = """#!{python}
import sys
sys.path[:0] = {paths!r}
assert sys.argv[1:4] == ["-Y", "sign", "-n"] and sys.argv[5] == "-f", sys.argv
from softkeys import SoftKey, soft_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from bundler.signing.publickey import PublicKey
private = load_pem_private_key(open({private!r}, "rb").read(), None)
key = SoftKey(private, PublicKey.parse({public!r}), b"ssh:")
{sabotage}
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read(), namespace=sys.argv[4], flags={flags}))
"""


@pytest.fixture(autouse=True)
def _no_agent_of_the_person_who_runs_the_tests(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def token(tmp_path, monkeypatch):
    """A security key file, and an ssh-keygen that can use it; it really signs."""
    key = soft_key("sk-ed25519")
    key_file(tmp_path / "inside", key.private, form="pkcs8")
    header = b"openssh-key-v1\0" + wire.text("none") + wire.text("none") + wire.string(b"") + wire.uint32(1)
    body = base64.encodebytes(header + wire.string(key.public.blob) + wire.string(b"handle")).decode()
    path = write(
        tmp_path / "id_ed25519_sk",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n".encode(),
    )
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(*, flags=1, sabotage=""):
        fake = tmp_path / "ssh-keygen"
        fake.write_text(
            FAKE_KEYGEN.format(
                python=sys.executable,
                paths=sys.path,
                private=str(tmp_path / "inside"),
                public=str(key.public),
                flags=flags,
                sabotage=sabotage,
            )
        )
        fake.chmod(0o755)
        return path

    return install


@pytest.mark.skipif(os.name == "nt", reason="needs a script as a program")
def test_a_security_key_signs_through_ssh_keygen(token):
    signs_as(soft_key("sk-ed25519").public, token())


@pytest.mark.skipif(os.name == "nt", reason="needs a script as a program")
def test_a_security_key_that_nobody_touched_is_caught(token):
    opened = open_signing_key(token(flags=0), ask=None)
    with pytest.raises(HostFault) as caught:
        opened.sign(MESSAGE, namespace=NAMESPACE)
    assert caught.value.message.endswith(
        "is not valid: expected a touch of the security key, found a signature made without one"
    )
    assert caught.value.hint == "sign again, and touch the key when it blinks"


@pytest.mark.skipif(os.name == "nt", reason="needs a script as a program")
def test_a_signature_by_another_key_is_caught(token):
    opened = open_signing_key(token(sabotage="key = soft_key('ed25519')"), ask=None)
    with pytest.raises(HostFault) as caught:
        opened.sign(MESSAGE, namespace=NAMESPACE)
    assert caught.value.message.startswith(
        f"{soft_key('sk-ed25519').public.fingerprint}: the signature that was just made is by SHA256:"
    )


@pytest.mark.skipif(os.name == "nt", reason="needs a script as a program")
def test_when_ssh_keygen_fails_its_exit_status_is_told(token, capfd):
    path = token(sabotage="sys.exit('device not found')")
    opened = open_signing_key(path, ask=None)
    with pytest.raises(UsageFault) as caught:
        opened.sign(MESSAGE, namespace=NAMESPACE)
    assert caught.value.message == f"{path}: ssh-keygen made no signature (exit status 1)"
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "device not found\n")


def test_without_ssh_keygen_a_security_key_cannot_sign(token, tmp_path):
    path = token()
    (tmp_path / "ssh-keygen").unlink()
    with pytest.raises(HostFault, match="ssh-keygen: not found on PATH"):
        open_signing_key(path, ask=None).sign(MESSAGE, namespace=NAMESPACE)
