"""Who verifies: the builtin verifier, ssh-keygen or both; where ssh-keygen cannot, that is said."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from bobandalice import BOB, BOTH, MESSAGE, refusal

from bundler.errors import HostFault, UsageFault
from bundler.signing.trust import verify_signatures


def test_the_builtin_verifier_and_ssh_keygen_must_both_agree(monkeypatch, tmp_path):
    fake = tmp_path / "ssh-keygen"
    fake.write_text("#!/bin/sh\necho 'Could not verify signature.' >&2\nexit 255\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal([BOB.sign(MESSAGE)], verifier="both").message.endswith(
        "ssh-keygen refuses it: Could not verify signature."
    )
    fake.write_text("#!/bin/sh\nexit 0\n")
    assert "invalid: the ssh-ed25519 signature does not fit" in str(
        refusal([BOB.sign(b"other")], verifier="both")
    )


def test_an_unknown_verifier_is_a_usage_fault():
    with pytest.raises(UsageFault) as caught:
        verify_signatures(MESSAGE, [], trust=BOTH, verifier="openssl")
    assert caught.value.message == "verifier: expected one of builtin, ssh-keygen, both, found 'openssl'"


@pytest.mark.skipif(os.name == "nt", reason="the false ssh-keygen is a shell script")
@pytest.mark.parametrize("entry", ["", "."])
def test_an_ssh_keygen_in_the_current_folder_is_no_judge(monkeypatch, tmp_path, entry):
    fake = tmp_path / "ssh-keygen"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{tmp_path / 'none'}")
    with pytest.raises(HostFault, match="ssh-keygen: not found on PATH"):
        verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=BOTH, verifier="ssh-keygen")


def test_without_ssh_keygen_its_verifier_is_a_host_fault(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HostFault) as caught:
        verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=BOTH, verifier="ssh-keygen")
    assert caught.value.message == "ssh-keygen: not found on PATH, expected OpenSSH 8.1 or later"
    assert "--verifier builtin" in caught.value.hint


def test_an_ssh_keygen_without_signatures_is_a_host_fault(monkeypatch, tmp_path):
    fake = tmp_path / "ssh-keygen"
    fake.write_text(
        "#!/bin/sh\necho 'unknown option -- Y' >&2\necho 'usage: ssh-keygen [-q] …' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostFault) as caught:
        verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=BOTH, verifier="ssh-keygen")
    assert caught.value.message == "ssh-keygen: too old to verify signatures, expected OpenSSH 8.1 or later"


def test_without_room_for_temporary_files_ssh_keygen_is_a_host_fault(monkeypatch, tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen, and it is not on PATH")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(HostFault, match="No such file or directory"):
        verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=BOTH, verifier="ssh-keygen")
