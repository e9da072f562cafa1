"""Whom this machine believes: each test is an attack, or a person's slip, and what is said about it."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from softkeys import NAMESPACE, soft_key, sshsig_blob

from bundler.errors import HostFault, SignatureFault, UsageFault
from bundler.signing import trustload, wire
from bundler.signing.sshsig import Sshsig, armor, signed_data
from bundler.signing.trust import Signer, Trust, judge, verify_signatures
from bundler.signing.trustfile import parse_rules
from bundler.signing.trustload import default_trust_path, load_trust

MESSAGE = b'{"format": "uv-bundler.index.v1"}\n'
ALICE, BOB, MALLORY = soft_key("nistp256"), soft_key("ed25519"), soft_key("ed25519", 1)
TOKEN = soft_key("sk-ed25519")
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
COPY = "copy the bundle from its source again and compare `sha256sum` on both sides"


def trusting(*lines):
    return Trust(rules=parse_rules("".join(f"{line}\n" for line in lines).encode()), source="the store")


BOTH = trusting(f"alice {ALICE.public}", f"bob {BOB.public}", f"token {TOKEN.public}")


def signer(name, key):
    return Signer(principal=name, fingerprint=key.public.fingerprint, key_type=key.public.key_type)


def refusal(signatures, *, trust=BOTH, message=MESSAGE, **options):
    with pytest.raises(SignatureFault) as caught:
        verify_signatures(message, signatures, trust=trust, now=NOW, **options)
    return caught.value


@pytest.fixture(params=["builtin", "ssh-keygen", "both"])
def verifier(request):
    if request.param != "builtin" and not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen, and it is not on PATH")
    return request.param


def test_a_trusted_signature_names_its_signer(verifier):
    signatures = [BOB.sign(MESSAGE), ALICE.sign(MESSAGE), TOKEN.sign(MESSAGE)]
    assert verify_signatures(MESSAGE, signatures, trust=BOTH, verifier=verifier) == (
        signer("bob", BOB),
        signer("alice", ALICE),
        signer("token", TOKEN),
    )


def test_a_stranger_s_signature_beside_a_trusted_one_does_no_harm(verifier):
    signatures = [MALLORY.sign(MESSAGE), b"rubbish", BOB.sign(MESSAGE)]
    assert verify_signatures(MESSAGE, signatures, trust=BOTH, verifier=verifier) == (signer("bob", BOB),)


def test_an_index_that_was_changed_is_refused(verifier):
    fault = refusal([BOB.sign(MESSAGE)], message=MESSAGE + b" ", verifier=verifier)
    assert fault.exit_code == 3
    assert fault.message.startswith(
        "no signature that counts, expected one by a key of the store; "
        f"signature 1 by {BOB.public.fingerprint}: "
    )
    assert fault.hint == COPY


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


def test_no_signature_at_all_is_refused():
    fault = refusal([])
    assert fault.message == "no signature at all, expected one by a key of the store"
    assert fault.hint == "ask the packer to sign it: uv-bundler sign BUNDLE --key KEY"


def touchless():
    data = signed_data(MESSAGE, namespace=NAMESPACE)
    return armor(sshsig_blob(TOKEN.public.blob, NAMESPACE, "sha512", TOKEN.sign_blob(data, flags=0)))


def relabelled():
    """Mallory's signature under Bob's key."""
    theirs = Sshsig.from_armor(MALLORY.sign(MESSAGE))
    return armor(replace(theirs, public_key=BOB.public).to_blob())


REFUSED = [
    (
        MALLORY.sign(MESSAGE),
        f" by {MALLORY.public.fingerprint}: the key (ssh-ed25519) is not in the store",
        (
            f"compare {MALLORY.public.fingerprint} with what the packer tells you by another road; only if they "
            f"are equal: uv-bundler trust import KEY.pub --expect {MALLORY.public.fingerprint}"
        ),
    ),
    (
        BOB.sign(MESSAGE, namespace="git"),
        f' by {BOB.public.fingerprint}: made for "git", expected one for "uv-bundler.index.v1"',
        "ask the packer to sign the bundle itself: uv-bundler sign BUNDLE --key KEY",
    ),
    (
        relabelled(),
        f" by {BOB.public.fingerprint}: invalid: the ssh-ed25519 signature does not fit these bytes and this key",
        COPY,
    ),
    (
        touchless(),
        (
            f" by {TOKEN.public.fingerprint}: expected a touch of the security key, "
            "found a signature made without one"
        ),
        "sign again, and touch the key when it blinks",
    ),
    (b"", ": expected -----BEGIN SSH SIGNATURE----- as the first line, found ''", COPY),
]


@pytest.mark.parametrize(("armored", "reason", "hint"), REFUSED, ids=range(len(REFUSED)))
def test_a_signature_that_does_not_count_is_told_with_its_reason_and_a_next_step(armored, reason, hint):
    fault = refusal([armored])
    assert fault.message == (
        f"no signature that counts, expected one by a key of the store; signature 1{reason}"
    )
    assert fault.hint == hint


def test_a_touchless_signature_is_refused_whoever_verifies(verifier):
    assert "found a signature made without one" in str(refusal([touchless()], verifier=verifier))


def test_the_next_step_is_about_the_key_that_is_known():
    fault = refusal([MALLORY.sign(MESSAGE), BOB.sign(MESSAGE, namespace="git")])
    assert fault.message.count("; signature ") == 2
    assert fault.hint == "ask the packer to sign the bundle itself: uv-bundler sign BUNDLE --key KEY"


def test_one_key_counts_once_however_often_it_signs():
    twice = [ALICE.sign(MESSAGE), ALICE.sign(MESSAGE)]
    assert twice[0] != twice[1], "ECDSA signatures differ each time"
    verdicts = judge(MESSAGE, twice, trust=BOTH, now=NOW)
    assert [verdict.signer for verdict in verdicts] == [signer("alice", ALICE), None]
    assert str(verdicts[1]) == (
        f"signature 2 by {ALICE.public.fingerprint}: its key signed already, expected another key"
    )
    assert len(verify_signatures(MESSAGE, twice, trust=BOTH)) == 1


def test_a_malleated_ecdsa_signature_is_no_second_signer():
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    sshsig = Sshsig.from_armor(ALICE.sign(MESSAGE))
    body = wire.Reader(sshsig.signature)
    name, pair = body.text("type"), wire.Reader(body.string("pair"))
    r, s = pair.mpint("r"), pair.mpint("s")
    twin = wire.text(name) + wire.string(wire.mpint(r) + wire.mpint(order - s))
    armored = [armor(sshsig.to_blob()), armor(replace(sshsig, signature=twin).to_blob())]
    assert verify_signatures(MESSAGE, armored, trust=BOTH) == (signer("alice", ALICE),)
    assert verify_signatures(MESSAGE, armored[1:], trust=BOTH) == (signer("alice", ALICE),)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([f'bob namespaces="git" {BOB.public}'], 'line 1 of the store trusts it for "git" only'),
        (
            [f'bob valid-before="20260101Z" {BOB.public}'],
            "line 1 of the store: expired 20260101000000Z, and it is 20260601000000Z",
        ),
        (
            [f'bob valid-after="20270101Z" {BOB.public}'],
            "line 1 of the store: valid only after 20270101000000Z, and it is 20260601000000Z",
        ),
        (
            [f'bob valid-before="20260101Z" {BOB.public}', f"bob {BOB.public}"],
            "line 1 of the store: expired 20260101000000Z, and it is 20260601000000Z",
        ),
        (
            [f"bob {BOB.public}", f'bob valid-before="20260101Z" {BOB.public}'],
            "line 2 of the store: expired 20260101000000Z, and it is 20260601000000Z",
        ),
    ],
)
def test_a_rule_that_does_not_hold_is_told_with_its_line(lines, reason):
    fault = refusal([BOB.sign(MESSAGE)], trust=trusting(*lines))
    assert fault.message.endswith(f"signature 1 by {BOB.public.fingerprint}: {reason}")
    assert fault.hint


def test_a_line_for_another_namespace_does_not_take_anything_away():
    trust = trusting(f'bob namespaces="git",valid-before="20260101Z" {BOB.public}', f"robert {BOB.public}")
    assert verify_signatures(MESSAGE, [BOB.sign(MESSAGE)], trust=trust, now=NOW) == (signer("robert", BOB),)


def test_an_unknown_verifier_is_a_usage_fault():
    with pytest.raises(UsageFault) as caught:
        verify_signatures(MESSAGE, [], trust=BOTH, verifier="openssl")
    assert caught.value.message == "verifier: expected one of builtin, ssh-keygen, both, found 'openssl'"


# Files.


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


def test_a_user_without_a_store_reads_the_one_of_the_machine(tmp_path, monkeypatch):
    own, system = tmp_path / "own", tmp_path / "system"
    monkeypatch.setattr(trustload, "default_trust_path", lambda: own)
    monkeypatch.setattr(trustload, "_SYSTEM_STORE", system)
    assert trustload.trust_path_to_read() == own
    system.touch()
    assert trustload.trust_path_to_read() == system
    own.touch()
    assert trustload.trust_path_to_read() == own
