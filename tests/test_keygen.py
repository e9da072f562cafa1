"""New key pairs: in OpenSSH's form, for the owner alone, never over anything."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

import pytest

from bundler.errors import HostFault, UsageFault
from bundler.signing.keygen import generate
from bundler.signing.publickey import PublicKey
from bundler.signing.signer import open_signing_key
from bundler.signing.sshsig import verify_sshsig

TYPES = {"ecdsa-p256": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_ssh_keygen_takes_both_halves_and_signs_with_them(tmp_path, kind, passphrase):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    path = tmp_path / "release.key"
    key = generate(path, kind=kind, comment="packer@site", passphrase=passphrase)
    listed = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert listed.split()[1:3] == [key.fingerprint, "packer@site"]
    given = ["-P", (passphrase or b"").decode()]
    derived = subprocess.run(
        ["ssh-keygen", "-y", *given, "-f", path], capture_output=True, text=True, check=True
    ).stdout
    assert PublicKey.parse(derived) == key
    if passphrase is None:
        armored = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", path],
            input=b"m",
            capture_output=True,
            check=True,
        ).stdout
        assert verify_sshsig(armored, b"m", namespace="test") == key


@pytest.mark.parametrize("kind", TYPES)
def test_the_public_file_is_the_key_that_is_returned(tmp_path, kind):
    key = generate(tmp_path / "k", kind=kind, comment="packer@site")
    assert key.key_type == TYPES[kind]
    assert (tmp_path / "k.pub").read_text() == f"{key}\n"
    assert str(key).endswith(" packer@site")
    assert open_signing_key(tmp_path / "k", ask=None).public == key


def test_two_keys_differ_and_the_default_is_ecdsa_which_fips_hosts_know(tmp_path):
    first, second = generate(tmp_path / "a"), generate(tmp_path / "b")
    assert first != second
    assert first.key_type == "ecdsa-sha2-nistp256"


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        generate(tmp_path / "k")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("k", "k.pub")] == [0o600, 0o644]


@pytest.mark.parametrize("taken", ["k", "k.pub"])
def test_nothing_is_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("precious")
    with pytest.raises(UsageFault) as caught:
        generate(tmp_path / "k")
    assert caught.value.message == f"{tmp_path}/{taken}: exists already, and keys are never overwritten"
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [(taken, "precious")]


def test_a_file_that_appears_at_the_last_moment_is_not_overwritten_either(tmp_path, monkeypatch):
    (tmp_path / "k").write_text("precious")
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(HostFault, match=r"k: File exists"):
        generate(tmp_path / "k")
    assert (tmp_path / "k").read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_dangling_link_is_not_written_through(tmp_path):
    (tmp_path / "k").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageFault, match="exists already"):
        generate(tmp_path / "k")
    assert not (tmp_path / "elsewhere").exists()


def test_when_the_public_half_cannot_be_written_the_private_one_goes_too(tmp_path, monkeypatch):
    really = os.open

    def refusing(path, *arguments, **options):
        if str(path).endswith(".pub"):
            raise OSError(28, "No space left on device", str(path))
        return really(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(HostFault, match=r"k\.pub: No space left on device"):
        generate(tmp_path / "k")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_host_fault(tmp_path):
    with pytest.raises(HostFault) as caught:
        generate(tmp_path / "missing" / "k")
    assert caught.value.message == f"{tmp_path}/missing/k: No such file or directory"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "rsa"}, "--type: expected one of ecdsa-p256, ed25519, found 'rsa'"),
        ({"comment": "a\nb"}, "comment: expected one line of printable text, found 'a\\nb'"),
    ],
)
def test_a_wrong_wish_is_a_usage_fault(tmp_path, options, message):
    with pytest.raises(UsageFault) as caught:
        generate(tmp_path / "k", **options)
    assert caught.value.message == message
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_without_bcrypt_is_a_host_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(HostFault) as caught:
        generate(tmp_path / "k", passphrase=b"x")
    assert caught.value.hint == 'pip install "uv-bundler[connected]"'
    assert list(tmp_path.iterdir()) == []
