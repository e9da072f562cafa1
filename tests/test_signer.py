"""Signing with files, with ssh-agent and through ssh-keygen; every signature is checked before it leaves."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from softkeys import NAMESPACE, PLAIN, soft_key

from bundler.errors import HostFault, UsageFault
from bundler.signing import agent, wire
from bundler.signing.keygen import generate
from bundler.signing.signer import open_signing_key
from bundler.signing.sshsig import verify_sshsig

MESSAGE = b"the index"
FORMS = {
    "openssh": PrivateFormat.OpenSSH,
    "pkcs8": PrivateFormat.PKCS8,
    "traditional": PrivateFormat.TraditionalOpenSSL,
}


@pytest.fixture(autouse=True)
def _no_agent_of_the_person_who_runs_the_tests(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def write(path, data):
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def key_file(path, private, *, form="openssh", passphrase=None):
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return write(path, private.private_bytes(Encoding.PEM, FORMS[form], encryption))


def signs_as(key, path, *, ask=None):
    opened = open_signing_key(path, ask=ask)
    assert opened.public == key
    armored = opened.sign(MESSAGE, namespace=NAMESPACE)
    assert verify_sshsig(armored, MESSAGE, namespace=NAMESPACE) == key


def refused(kind, path, *, ask=None):
    with pytest.raises(kind) as caught:
        open_signing_key(path, ask=ask)
    assert caught.value.hint
    return caught.value.message


# Files.


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


# ssh-agent.


@pytest.fixture
def ssh_agent(tmp_path, monkeypatch):
    if not shutil.which("ssh-agent") or not shutil.which("ssh-add"):
        pytest.skip("needs ssh-agent and ssh-add, and they are not on PATH")
    if len(str(tmp_path)) > 90:
        pytest.skip("needs a shorter temporary folder: a socket's path has at most 107 characters")
    address = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.PIPE)
    process.stdout.readline()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
    yield
    process.terminate()
    process.wait()
    process.stdout.close()


def add_to_agent(path):
    subprocess.run(["ssh-add", "-q", path], check=True, capture_output=True)


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.usefixtures("ssh_agent")
def test_a_key_in_ssh_agent_signs_by_its_public_half(tmp_path, kind):
    key = soft_key(kind)
    private = key_file(tmp_path / "key", key.private)
    add_to_agent(private)
    private.unlink()
    signs_as(key.public, write(tmp_path / "key.pub", f"{key.public} me\n".encode()))


@pytest.mark.usefixtures("ssh_agent")
def test_an_encrypted_key_that_ssh_agent_holds_needs_no_passphrase(tmp_path):
    key = soft_key("ed25519")
    add_to_agent(key_file(tmp_path / "plain", key.private))
    path = key_file(tmp_path / "key", key.private, passphrase=b"secret")
    signs_as(key.public, path, ask=lambda _: pytest.fail("asked"))


@pytest.mark.usefixtures("ssh_agent")
def test_a_key_that_ssh_agent_does_not_hold_is_a_usage_fault(tmp_path):
    key = soft_key("ed25519")
    path = write(tmp_path / "key.pub", f"{key.public}\n".encode())
    assert refused(UsageFault, path) == (
        f"{path}: a public key, and ssh-agent does not hold its private half {key.public.fingerprint}"
    )


@pytest.mark.usefixtures("ssh_agent")
def test_an_agent_that_lost_the_key_says_so(tmp_path):
    key = soft_key("ed25519")
    add_to_agent(key_file(tmp_path / "key", key.private))
    opened = open_signing_key(write(tmp_path / "key.pub", f"{key.public}\n".encode()), ask=None)
    subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True)
    with pytest.raises(UsageFault) as caught:
        opened.sign(MESSAGE, namespace=NAMESPACE)
    assert caught.value.message == f"ssh-agent: declined to sign with {key.public.fingerprint}"


@pytest.mark.skipif(os.name == "nt", reason="on Windows the key goes through ssh-keygen")
def test_without_an_agent_a_public_key_cannot_sign(tmp_path):
    path = write(tmp_path / "key.pub", f"{soft_key('ed25519').public}\n".encode())
    assert "ssh-agent does not hold its private half" in refused(UsageFault, path)


@pytest.fixture
def fake_agent(tmp_path, monkeypatch):
    """An agent that gives the same answers to whoever connects."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("needs Unix sockets")
    if len(str(tmp_path)) > 90:
        pytest.skip("needs a shorter temporary folder: a socket's path has at most 107 characters")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "fake"))
    with contextlib.ExitStack() as stack:

        def start(*answers):
            server = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            server.bind(str(tmp_path / "fake"))
            server.listen()

            def serve():
                for answer in answers:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            stack.callback(thread.join)

        yield start


def holding(key):
    body = bytes([12]) + wire.uint32(1) + wire.string(key.public.blob) + wire.string(b"")
    return wire.string(body)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "expected 4 bytes, found 0"),
        (b"\0\0\0\5\x0c", "expected 5 bytes, found 1"),
        (wire.uint32(0), "expected an answer of 1 to 262144 bytes, found 0"),
        (wire.uint32(2**31), "expected an answer of 1 to 262144 bytes, found 2147483648"),
        (wire.string(b"\5"), "expected its list of keys, found message 5"),
        (wire.string(b"\x0c\0\0\0\2"), "length of key: expected 4 bytes, found 0"),
        (wire.string(b"\x0c\0\0\0\0!"), "list of keys: expected its end, found 1 more bytes"),
    ],
)
def test_an_agent_that_talks_nonsense_is_a_host_fault(tmp_path, fake_agent, answer, message):
    fake_agent(answer)
    path = write(tmp_path / "key.pub", f"{soft_key('ed25519').public}\n".encode())
    assert refused(HostFault, path) == f"ssh-agent at {tmp_path}/fake: {message}"


def test_an_agent_that_signs_something_else_is_caught(tmp_path, fake_agent):
    key = soft_key("ed25519")
    fake_agent(holding(key), wire.string(bytes([14]) + wire.string(key.sign_blob(b"something else"))))
    opened = open_signing_key(write(tmp_path / "key.pub", f"{key.public}\n".encode()), ask=None)
    with pytest.raises(HostFault) as caught:
        opened.sign(MESSAGE, namespace=NAMESPACE)
    assert caught.value.message == (
        f"{key.public.fingerprint}: the signature that was just made is not valid: "
        "the ssh-ed25519 signature does not fit these bytes and this key"
    )


def test_an_agent_that_is_gone_is_a_host_fault_but_no_reason_not_to_ask(tmp_path, monkeypatch):
    if agent.agent_address() is None and not hasattr(socket, "AF_UNIX"):
        pytest.skip("needs Unix sockets")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    key = soft_key("nistp256")
    path = write(tmp_path / "key.pub", f"{key.public}\n".encode())
    assert refused(HostFault, path) == f"ssh-agent at {tmp_path}/gone: No such file or directory"
    encrypted = key_file(tmp_path / "key", key.private, passphrase=b"secret")
    signs_as(key.public, encrypted, ask=lambda _: "secret")


# Security keys, through ssh-keygen.

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
