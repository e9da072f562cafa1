"""Signing through ssh-agent, the real one and ones that lie."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading

import pytest
from signingkeys import MESSAGE, key_file, refused, signs_as, write
from softkeys import NAMESPACE, PLAIN, soft_key

from bundler.errors import HostFault, UsageFault
from bundler.signing import agent, wire
from bundler.signing.signer import open_signing_key


@pytest.fixture(autouse=True)
def _no_agent_of_the_person_who_runs_the_tests(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


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
