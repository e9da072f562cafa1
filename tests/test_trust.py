"""Whom this machine believes: each test is an attack, or a person's slip, and what is said about it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from bobandalice import ALICE, BOB, BOTH, COPY, MALLORY, MESSAGE, NOW, TOKEN, refusal, signer, trusting
from softkeys import NAMESPACE, sshsig_blob

from bundler.signing import wire
from bundler.signing.sshsig import Sshsig, armor, signed_data
from bundler.signing.trust import judge, verify_signatures


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
