"""SSHSIG before outside judges: OpenSSH's own test data, and ssh-keygen in both directions."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from softkeys import KINDS, NAMESPACE, soft_key, sshsig_blob

from bundler.core.fault import Fault
from bundler.signing.publickey import PublicKey
from bundler.signing.sshsig import armor, dearmor, verify_sshsig

KEYGEN_TYPES = (
    ("ed25519", ()),
    ("ecdsa", ("-b", "256")),
    ("ecdsa", ("-b", "384")),
    ("ecdsa", ("-b", "521")),
    ("rsa", ("-b", "3072")),
)


@pytest.fixture(scope="module")
def ssh_keygen():
    found = shutil.which("ssh-keygen")
    if not found:
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    return found


@pytest.mark.parametrize("name", ["ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk"])
def test_signatures_from_openssh_s_own_tests_are_accepted(shared_vectors, name):
    folder = shared_vectors / "sshsig"
    namespace = (folder / "namespace").read_text()
    message = (folder / "signed-data").read_bytes()
    key = verify_sshsig((folder / f"{name}.sig").read_bytes(), message, namespace=namespace)
    assert key == PublicKey.parse((folder / f"{name}.pub").read_text())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ecdsa_sk_webauthn",
            (
                "expected a signature of type sk-ecdsa-sha2-nistp256@openssh.com, "
                "found webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
            ),
        ),
        (
            "mldsa44-ed25519",
            (
                "key SHA256:XHbIpkaK0oNcsZr0xYpEG69WLhHGNq6L3OeiPl96y1A: expected a known key type, "
                "found ssh-mldsa44-ed25519@openssh.com"
            ),
        ),
    ],
)
def test_openssh_s_other_kinds_of_signature_are_refused_by_design(shared_vectors, name, message):
    folder = shared_vectors / "sshsig"
    with pytest.raises(Fault) as caught:
        verify_sshsig(
            (folder / f"{name}.sig").read_bytes(),
            (folder / "signed-data").read_bytes(),
            namespace="unittest",
        )
    assert caught.value.message == message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_ssh_keygen_accepts_our_signatures(ssh_keygen, tmp_path, kind, hash_name):
    key = soft_key(kind)
    (tmp_path / "sig").write_bytes(key.sign(b"message", hash_name=hash_name))
    (tmp_path / "allowed").write_text(f'packer@site namespaces="{NAMESPACE}" {key.public}\n')
    judge = [ssh_keygen, "-Y", "verify", "-f", tmp_path / "allowed", "-I", "packer@site", "-n", NAMESPACE]
    for message, expected in ((b"message", 0), (b"massage", 255)):
        done = subprocess.run(
            [*judge, "-s", tmp_path / "sig"], input=message, capture_output=True, check=False
        )
        assert done.returncode == expected, done.stderr
    done = subprocess.run(
        [ssh_keygen, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", tmp_path / "sig"],
        input=b"message",
        capture_output=True,
        check=True,
    )
    assert key.public.fingerprint in done.stdout.decode()


@pytest.mark.parametrize(("kind", "size"), KEYGEN_TYPES)
def test_we_accept_what_ssh_keygen_signs(ssh_keygen, tmp_path, kind, size):
    path = tmp_path / "key"
    make = [ssh_keygen, "-q", "-t", kind, *size, "-N", "", "-C", "somebody", "-f", path]
    subprocess.run(make, check=True)
    key = PublicKey.parse(path.with_suffix(".pub").read_text())
    for options in ((), ("-O", "hashalg=sha256")):
        armored = subprocess.run(
            [ssh_keygen, "-q", "-Y", "sign", *options, "-n", NAMESPACE, "-f", path],
            input=b"message",
            capture_output=True,
            check=True,
        ).stdout
        assert verify_sshsig(armored, b"message", namespace=NAMESPACE) == key
        assert armor(dearmor(armored)) == armored
        with pytest.raises(Fault):
            verify_sshsig(armored, b"massage", namespace=NAMESPACE)


def test_the_small_order_key_that_ssh_keygen_accepts_is_refused_here(ssh_keygen, tmp_path):
    from bundler.signing import wire

    key = wire.text("ssh-ed25519") + wire.string(bytes([1]) + bytes(31))
    signature = wire.text("ssh-ed25519") + wire.string(bytes([1]) + bytes(63))
    armored = armor(sshsig_blob(key, NAMESPACE, "sha512", signature))
    (tmp_path / "sig").write_bytes(armored)
    with pytest.raises(Fault, match="small order"):
        verify_sshsig(armored, b"anything", namespace=NAMESPACE)
    done = subprocess.run(
        [ssh_keygen, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", tmp_path / "sig"],
        input=b"anything",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this ssh-keygen refuses the small-order key too, as 9.2 does not: nothing to contrast")
