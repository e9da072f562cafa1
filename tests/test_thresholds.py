"""Two people, two keys: what counts towards a threshold, and what is said when it does not suffice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manysigners import (
    COPY,
    KEYS,
    MESSAGE,
    OWNERS,
    accepted,
    beyond_the_order,
    by,
    malleated,
    print_of,
    refusal,
    relabelled,
    small_order,
    touchless,
    trust_of,
)

from bundler.errors import SignatureFault
from bundler.signing import judging
from bundler.signing.sshsig import signed_data
from bundler.signing.trust import judge, verify_signatures
from bundler.signing.trustdoc import TRUST_FORMAT


@pytest.fixture(params=["builtin", "ssh-keygen", "both"])
def verifier(request):
    if request.param != "builtin" and not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen, and it is not on PATH")
    return request.param


def test_two_people_are_enough_where_two_are_needed(verifier):
    assert accepted([by("anna"), by("ben")], trust_of(2), verifier=verifier) == ["anna", "ben"]


def test_a_third_one_and_strangers_do_no_harm():
    signatures = [by("stranger"), by("carl"), b"rubbish", by("ben"), by("anna2"), touchless(), small_order()]
    assert accepted(signatures, trust_of(2)) == ["carl", "ben", "anna"]


def test_one_person_alone_is_refused_with_who_signed_and_who_is_missing(verifier):
    fault = refusal([by("anna")], trust_of(2), verifier=verifier)
    assert fault.message == (
        "signed by 1 of 2 people, expected 2 with the role release in trust.json (plant-7 version 3); "
        f"anna with {print_of('anna')} has signed; still missing: 1 of ben, carl"
    )
    assert fault.hint == "ask ben or carl to sign it: uv-bundler sign BUNDLE --key KEY"


def test_nobody_is_told_with_all_who_could():
    fault = refusal([], trust_of(1))
    assert fault.message == (
        "signed by 0 of 1 person, expected 1 with the role release in trust.json (plant-7 version 3); "
        "still missing: 1 of anna, ben, carl"
    )
    assert fault.hint == "ask anna or ben or carl to sign it: uv-bundler sign BUNDLE --key KEY"


def test_the_threshold_of_root_counts_for_trust_documents():
    trust = trust_of(2, root=2)
    signatures = [by(name, namespace=TRUST_FORMAT) for name in ("anna", "rita", "ben")]
    assert accepted(signatures, trust, namespace=TRUST_FORMAT) == ["anna", "rita"]
    fault = refusal(signatures[1:], trust, namespace=TRUST_FORMAT)
    assert fault.message == (
        "signed by 1 of 2 people, expected 2 with the role root in trust.json (plant-7 version 3); "
        f"rita with {print_of('rita')} has signed; still missing: 1 of anna; "
        f"signature 2 by {print_of('ben')}: ben has no role for that in trust.json"
    )
    assert fault.hint == "ask anna to sign it: uv-bundler trust sign FILE --key KEY"


# Beside anna's good signature, each of these is one that must not make two.
WORTHLESS = {
    "the same bytes again": (lambda: by("anna"), "its key signed already, expected another key", None),
    "her signature malleated": (malleated, "its key signed already, expected another key", None),
    "her other key": (
        lambda: by("anna2"),
        f"anna signed already with {print_of('anna')}, expected another person",
        None,
    ),
    "a stranger": (
        lambda: by("stranger"),
        "the key (ssh-ed25519) is not in trust.json",
        None,
    ),
    "a stranger under ben's key": (
        relabelled,
        "invalid: the ssh-ed25519 signature does not fit these bytes and this key",
        COPY,
    ),
    "ben over other bytes": (
        lambda: by("ben", MESSAGE + b" "),
        "invalid: the ssh-ed25519 signature does not fit these bytes and this key",
        COPY,
    ),
    "ben beyond the order": (
        beyond_the_order,
        "expected an Ed25519 signature in its one form, found a number beyond the order",
        None,
    ),
    "ben for trust documents": (
        lambda: by("ben", namespace=TRUST_FORMAT),
        'made for "uv-bundler.trust.v1", expected one for "uv-bundler.index.v1"',
        "ask the packer to sign the bundle itself: uv-bundler sign BUNDLE --key KEY",
    ),
    "ben for git": (
        lambda: by("ben", namespace="git"),
        'made for "git", expected one for "uv-bundler.index.v1"',
        "ask the packer to sign the bundle itself: uv-bundler sign BUNDLE --key KEY",
    ),
    "rita, who is root alone": (lambda: by("rita"), "rita has no role for that in trust.json", None),
    "carl without a touch": (
        touchless,
        "expected a touch of the security key, found a signature made without one",
        "sign again, and touch the key when it blinks",
    ),
    "a key of small order": (
        small_order,
        "expected an Ed25519 key, found a point of small order, for which anybody can sign",
        None,
    ),
    "rubbish": (lambda: b"rubbish", "expected -----BEGIN SSH SIGNATURE----- as the first line", None),
}
MISSING = "ask ben or carl to sign it: uv-bundler sign BUNDLE --key KEY"


@pytest.mark.parametrize(("make", "reason", "hint"), WORTHLESS.values(), ids=WORTHLESS)
def test_what_does_not_count_beside_one_good_signature(make, reason, hint, verifier):
    for signatures in ([by("anna"), make()], [by("anna"), *[make()] * 3]):
        if verifier == "ssh-keygen" and reason.startswith("invalid"):
            reason, hint = "ssh-keygen refuses it", COPY
        fault = refusal(signatures, trust_of(2), verifier=verifier)
        assert reason in fault.message
        assert "signed by 1 of 2 people" in fault.message
        assert "still missing: 1 of ben, carl" in fault.message
        assert fault.hint == (hint or MISSING)
    assert accepted([*signatures, by("ben")], trust_of(2), verifier=verifier) == ["anna", "ben"]


def test_a_key_that_the_document_revokes_does_not_count():
    trust = trust_of(1, revoked=["ben"])
    assert (
        f"signature 1 by {print_of('ben')}: its key is revoked: stolen" in refusal([by("ben")], trust).message
    )
    assert "ben" not in refusal([], trust).hint


def test_a_key_that_this_machine_revokes_does_not_count_and_is_not_asked_for():
    trust = trust_of(2, here=["ben", "anna2"])
    fault = refusal([by("anna"), by("ben")], trust)
    assert f"signature 2 by {print_of('ben')}: its key is revoked: laptop lost" in fault.message
    assert "still missing: 1 of carl" in fault.message
    assert accepted([by("anna"), by("ben"), by("carl")], trust) == ["anna", "carl"]
    assert "its key is revoked: laptop lost" in refusal([by("anna2")], trust).message
    assert refusal([], trust).message.endswith("still missing: 2 of anna, carl")


def test_where_all_keys_are_revoked_nobody_is_asked():
    trust = trust_of(2, here=["anna", "anna2", "ben", "carl"])
    fault = refusal([], trust)
    assert fault.message.endswith("still missing: 2, and all other keys are revoked")
    assert fault.hint.startswith(
        "too few keys are left that are not revoked: ask its people for the next version"
    )


def test_where_too_few_unrevoked_keys_are_left_nobody_is_asked_to_sign_again():
    fault = refusal([by("anna"), by("ben")], trust_of(2, here=["ben", "carl"]))
    assert "still missing: 1, and all other keys are revoked; signature 2 by" in fault.message
    assert fault.hint.startswith("too few keys are left")
    fault = refusal([], trust_of(2, here=["ben", "carl"]))
    assert fault.message.endswith("still missing: 2 of anna")
    assert fault.hint.startswith("too few keys are left")


def test_this_machine_s_list_holds_for_plain_keys_too():
    trust = replace(trust_of(1), document=None, revoked_keys={print_of("ben"): "laptop lost"})
    assert refusal([by("ben")], trust).message.endswith("its key is revoked: laptop lost")
    assert accepted([by("ben"), by("anna")], trust) == ["anna"]


def test_a_message_is_hashed_once_whatever_the_number_of_signatures(monkeypatch):
    hashed = []

    def counting(message, **options):
        hashed.append(options["hash_name"])
        return signed_data(message, **options)

    monkeypatch.setattr(judging, "signed_data", counting)
    accepted([relabelled(), by("ben", hash_name="sha256"), by("anna")] + [malleated()] * 13, trust_of())
    assert sorted(hashed) == ["sha256", "sha512"]


def test_a_person_who_signs_with_a_good_key_after_a_bad_one_counts():
    trust = trust_of(1, here=["anna"])
    assert accepted([by("anna"), by("anna2")], trust) == ["anna"]


# Any multiset of signatures: accepted if and only if as many different people have a valid one.
@cache
def pool():
    """Return made signatures with the key for which each of them is valid, or None."""
    made = [(by(name), name) for name in KEYS]
    made += [(by(name, hash_name="sha256"), name) for name in KEYS]
    made += [(by(name), name) for name in ("anna", "carl")]
    made += [(malleated(), "anna"), (beyond_the_order(), None), (touchless(), None), (small_order(), None)]
    made += [(by(name, namespace=space), None) for name in KEYS for space in (TRUST_FORMAT, "git")]
    made += [(by(name, b"other"), None) for name in KEYS]
    made += [(relabelled(name), None) for name in ("anna2", "ben", "rita")]
    made += [(by("ben").replace(b"\n", b"\r\n"), None), (by("ben")[:-9], None), (b"", None)]
    return made


NAMES = st.sets(st.sampled_from(sorted(OWNERS)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bundle_is_accepted_where_enough_different_people_have_a_valid_signature(data):
    people = ("anna", "ben", "carl", "rita")
    roles = {
        person: data.draw(st.sampled_from([("root", "release"), ("release",), ("root",)]))
        for person in people
    }
    roles["rita"] = ("root", *roles["rita"][-1:]) if roles["rita"] != ("root",) else ("root",)
    roles["rita"] = tuple(dict.fromkeys(roles["rita"]))
    releasing = {person for person in people if "release" in roles[person]} or {"ben"}
    roles["ben"] = roles["ben"] if "ben" not in releasing or "release" in roles["ben"] else ("release",)
    here = data.draw(NAMES)
    threshold = data.draw(st.integers(1, len(releasing)))
    chosen = data.draw(st.lists(st.sampled_from(range(len(pool()))), max_size=8))
    signatures = [pool()[number][0] for number in chosen]
    valid = {pool()[number][1] for number in chosen} - {None, "stranger"} - here
    counting = {OWNERS[key] for key in valid if OWNERS[key] in releasing}
    trust = trust_of(threshold, roles=roles, here=here)
    verdicts = judge(MESSAGE, signatures, trust=trust)
    assert sorted(one.signer.principal for one in verdicts if one.signer) == sorted(counting)
    try:
        signers = verify_signatures(MESSAGE, signatures, trust=trust)
    except SignatureFault:
        assert len(counting) < threshold
    else:
        assert len(counting) >= threshold
        assert {one.principal for one in signers} == counting
