"""What a file, a folder and the default place give to trust; a slip is told, and a store of anybody's is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bobandalice import ALICE, BOB, MESSAGE, signer

from bundler.errors import SignatureFault, UsageFault
from bundler.signing import trustload
from bundler.signing.trust import verify_signatures
from bundler.signing.trustload import default_trust_path, load_trust


def test_a_public_key_file_is_trusted_under_its_comment_or_fingerprint(tmp_path):
    path = tmp_path / "packer.pub"
    for text, principal in (
        (f"{BOB.public} Bob at work\n", "Bob at work"),
        (f"{BOB.public}\r\n", BOB.public.fingerprint),
    ):
        path.write_text(text, newline="")
        trust = load_trust(path)
        assert trust.source == str(path)
        assert verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=trust) == (signer(principal, BOB),)


def test_an_allowed_signers_file_and_a_folder_that_holds_one_are_trusted(tmp_path):
    path = tmp_path / "allowed_signers"
    path.write_text(f"bob {BOB.public}\nalice {ALICE.public}\n")
    path.chmod(0o644)
    for named in (path, tmp_path):
        assert [rule.principals for rule in load_trust(named).rules] == ["bob", "alice"]


EXPECTED = "expected an OpenSSH public key, an allowed_signers file or a trust document"
SLIPS = [
    (b"", "{path}: no key in it, expected at least one"),
    (b"# only a comment\n", "{path}: no key in it, expected at least one"),
    (b"\n\x0c\n", "{path}:2: expected PRINCIPALS [OPTIONS] TYPE BASE64, found no principals"),
    (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
        f"{{path}}: a private key, {EXPECTED}; nothing further of it was read",
    ),
    (
        b"\n\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        f"{{path}}: a private key, {EXPECTED}; nothing further of it was read",
    ),
    (
        b"PuTTY-User-Key-File-3: ssh-ed25519\n",
        f"{{path}}: a private key, {EXPECTED}; nothing further of it was read",
    ),
    (
        b"-----BEGIN PUBLIC KEY-----\n",
        f"{{path}}: a PEM public key, {EXPECTED}",
    ),
    (
        b"-----BEGIN SSH SIGNATURE-----\n",
        f"{{path}}: a signature, {EXPECTED}",
    ),
    (b"x" * ((1 << 20) + 1), f"{{path}}: more than 1048576 bytes, {EXPECTED}"),
    (
        f"{BOB.public}\n{ALICE.public}\n".encode(),
        "{path}:2: a second line after a public key, expected one key alone",
    ),
    (b"ssh-ed25519 AAAA\n", "{path}:1: length of key type: expected 4 bytes, found 3"),
    (
        f"bob {BOB.public}\nalice\n".encode(),
        "{path}:2: expected an option or a key type, found nothing",
    ),
    (
        f"bob cert-authority {BOB.public}\n".encode(),
        "{path}:1: expected a plain key, found cert-authority: certificates are not accepted",
    ),
    (
        b"\xef\xbb\xbf" + str(BOB.public).encode(),
        "{path}: expected plain UTF-8, found a UTF-8 byte order mark",
    ),
]


@pytest.mark.parametrize(("data", "message"), SLIPS, ids=range(len(SLIPS)))
def test_a_file_that_says_nothing_to_trust_is_a_usage_fault(tmp_path, data, message):
    path = tmp_path / "given"
    path.write_bytes(data)
    with pytest.raises(UsageFault) as caught:
        load_trust(path)
    assert caught.value.message == message.format(path=path)
    assert caught.value.hint


def test_of_a_private_key_only_the_beginning_is_read(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"A" * 5000)
    reads = []
    really = Path.open

    def spying(self, *arguments, **options):
        stream = really(self, *arguments, **options)
        wrapped = type("Spy", (), {})()
        wrapped.read = lambda count: reads.append(count) or stream.read(count)
        wrapped.__class__.__enter__ = lambda _: wrapped
        wrapped.__class__.__exit__ = lambda *_: stream.close()
        return wrapped

    monkeypatch.setattr(Path, "open", spying)
    with pytest.raises(UsageFault, match="a private key"):
        load_trust(path)
    assert reads == [64]


def test_a_file_that_is_not_there_is_a_usage_fault(tmp_path):
    with pytest.raises(UsageFault) as caught:
        load_trust(tmp_path / "packer.pub")
    assert caught.value.message == f"{tmp_path}/packer.pub: no such file, {EXPECTED}"


def test_a_trust_store_that_others_can_write_is_refused(tmp_path):
    if os.name == "nt":
        pytest.skip("needs POSIX modes")
    path = tmp_path / "allowed_signers"
    path.write_text(f"bob {BOB.public}\n")
    path.chmod(0o664)
    assert load_trust(path).rules, "a file that a person names is taken as it is"
    with pytest.raises(SignatureFault) as caught:
        load_trust(tmp_path)
    assert caught.value.message == (
        f"{path}: mode 0664 lets others write the trust store, expected that only its owner can"
    )


def test_the_default_store_is_guarded_too_and_depends_on_who_asks(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("needs POSIX users")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_trust_path() == Path("/etc/uv-bundler/allowed_signers")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_trust_path() == tmp_path / "uv-bundler" / "allowed_signers"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_trust_path() == tmp_path / ".config" / "uv-bundler" / "allowed_signers"
    monkeypatch.undo()
    store = tmp_path / "store"
    store.write_text(f"bob {BOB.public}\n")
    store.chmod(0o666)
    monkeypatch.setattr(trustload, "default_trust_path", lambda: store)
    with pytest.raises(SignatureFault, match="lets others write the trust store"):
        load_trust(store)


def test_a_user_without_a_store_reads_the_one_of_the_machine(tmp_path, monkeypatch):
    own, system = tmp_path / "own", tmp_path / "system"
    monkeypatch.setattr(trustload, "default_trust_path", lambda: own)
    monkeypatch.setattr(trustload, "_SYSTEM_STORE", system)
    assert trustload.trust_path_to_read() == own
    system.touch()
    assert trustload.trust_path_to_read() == system
    own.touch()
    assert trustload.trust_path_to_read() == own
