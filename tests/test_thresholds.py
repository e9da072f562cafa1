"""Two people, two keys: what counts towards a threshold, and what is said when it does not suffice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

import pytest
from bundles import trust_by
from hypothesis import given, settings
from hypothesis import strategies as st
from softkeys import NAMESPACE, soft_key, sshsig_blob

from bundler.errors import SignatureFault
from bundler.signing import judging, wire
from bundler.signing.publickey import PublicKey
from bundler.signing.schemes import KEY_TYPES
from bundler.signing.sshsig import Sshsig, armor, signed_data
from bundler.signing.trust import judge, verify_signatures
from bundler.signing.trustdoc import TRUST_FORMAT, Person, Policy, SignedDocument, TrustDocument

MESSAGE = b'{"format": "uv-bundler.index.v1"}\n'
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
COPY = "copy the bundle from its source again and compare `sha256sum` on both sides"
KEYS = {
    "anna": soft_key("nistp256"),
    "anna2": soft_key("ed25519", 1),
    "ben": soft_key("ed25519"),
    "carl": soft_key("sk-ed25519"),
    "rita": soft_key("ed25519", 2),  # root alone
    "stranger": soft_key("ed25519", 3),
}
OWNERS = {"anna": "anna", "anna2": "anna", "ben": "ben", "carl": "carl", "rita": "rita"}


def bare(name):
    return PublicKey(KEYS[name].public.blob)


def print_of(name):
    return KEYS[name].public.fingerprint


def trust_of(release=2, *, root=1, revoked=(), here=(), roles=None):
    """Return the trust in a document with anna (two keys), ben, carl (a security key) and rita, who is root."""
    held = {"anna": ("root", "release"), "ben": ("release",), "carl": ("release",), "rita": ("root",)}
    held.update(roles or {})
    gone = {print_of(name) for name in revoked}
    signers = tuple(
        Person(
            name=person,
            keys=tuple(
                bare(key) for key, owner in OWNERS.items() if owner == person and print_of(key) not in gone
            ),
            roles=held[person],
        )
        for person in sorted(held)
    )
    document = TrustDocument(
        name="plant-7", version=3, created="2026-11-01T00:00:00Z", expires=None, algorithms=KEY_TYPES,
        signers=tuple(one for one in signers if one.keys), root_threshold=root, release_threshold=release,
        revoked=tuple((one, "stolen") for one in sorted(gone)), policy=Policy(),
    )  # fmt: skip
    signed = SignedDocument(raw=document.to_bytes(), signatures=(), number=3)
    return trust_by(signed, revoked_keys={print_of(name): "laptop lost" for name in here})


def by(name, message=MESSAGE, **options):
    return KEYS[name].sign(message, **options)


def malleated(name="anna"):
    """The same ECDSA signature as another pair of numbers: valid, with other bytes."""
    sshsig = Sshsig.from_armor(by(name))
    body = wire.Reader(sshsig.signature)
    kind, pair = body.text("type"), wire.Reader(body.string("pair"))
    r, s = pair.mpint("r"), pair.mpint("s")
    twin = wire.text(kind) + wire.string(wire.mpint(r) + wire.mpint(ORDER - s))
    return armor(replace(sshsig, signature=twin).to_blob())


def beyond_the_order(name="ben"):
    """An Ed25519 signature whose second half is raised by the group's order, which some verifiers take."""
    order = 2**252 + 27742317777372353535851937790883648493
    sshsig = Sshsig.from_armor(by(name))
    body = wire.Reader(sshsig.signature)
    kind, raw = body.text("type"), body.string("signature")
    raised = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    return armor(replace(sshsig, signature=wire.text(kind) + wire.string(raised)).to_blob())


def touchless():
    data = signed_data(MESSAGE, namespace=NAMESPACE)
    key = KEYS["carl"]
    return armor(sshsig_blob(key.public.blob, NAMESPACE, "sha512", key.sign_blob(data, flags=0)))


def small_order():
    """The signature that anybody can write for a key of small order: R and key the identity, S zero."""
    identity = b"\x01" + b"\0" * 31
    blob = wire.text("ssh-ed25519") + wire.string(identity)
    signature = wire.text("ssh-ed25519") + wire.string(identity + b"\0" * 32)
    return armor(sshsig_blob(blob, NAMESPACE, "sha512", signature))


def relabelled(to="ben"):
    """The stranger's signature under another's key."""
    return armor(replace(Sshsig.from_armor(by("stranger")), public_key=bare(to)).to_blob())


def accepted(signatures, trust, **options):
    return [one.principal for one in verify_signatures(MESSAGE, signatures, trust=trust, **options)]


def refusal(signatures, trust, **options):
    with pytest.raises(SignatureFault) as caught:
        verify_signatures(MESSAGE, signatures, trust=trust, **options)
    assert caught.value.exit_code == 3
    return caught.value


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
